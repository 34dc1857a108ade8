/** T13: stolen pairs tried from many addresses. Nobody who uses a known browser or a passkey is kept out. */
import test from 'ava';
import * as accounts from '../../accounts/accounts.ts';
import * as devices from '../../accounts/devices.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import * as passwords from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import { SoftPasskey } from '../harness/authenticator.ts';
import { emailOf, openDomain, TOWN } from '../harness/domain.ts';
import { scaled } from './scale.ts';

const PAIRS = scaled(50_000, 1500);
const ADDRESSES = scaled(2000, 60);
const CITIZENS = 50;
const AT_ONCE = 20;
const RP = { id: 'schluessel.example', origin: 'https://schluessel.example', name: 'Stadtschlüssel' };
type Citizen = { readonly email: string; readonly device: string; readonly key: SoftPasskey };
const PHC = '$argon2id$v=19$m=1,t=1,p=1$';

test(`${PAIRS} pairs from ${ADDRESSES} addresses: every citizen with a known browser or a passkey gets in`, async (t) => {
  const domain = await openDomain({ max: 10 });
  const { ctx } = domain;
  const right = 'das richtige Passwort';
  const hashing: passwords.PasswordHashing = {
    hash: async () => PHC,
    verify: async (_phc, password) => password.reveal() === right,
  };
  const citizens: Citizen[] = [];
  for (let index = 0; index < CITIZENS; index += 1) {
    const email = `buerger${index}@buerger.example`;
    const registered = await accounts.register(ctx, {
      town: TOWN,
      language: 'de',
      email: emailOf(email),
      credential: { kind: 'password', hash: { hash: PHC, pepperVersion: ctx.keys.pepper().version } },
    });
    if (registered.outcome !== 'registered') throw new Error(registered.outcome);
    const { account } = registered;
    const device = devices.newDevice();
    await devices.remember(ctx, account, { id: device, name: 'Firefox', keep: true, signedIn: false });
    const opened = await accounts.load(ctx, account);
    const key = new SoftPasskey(opened?.passkeyHandle ?? Buffer.alloc(0));
    const challenge = Buffer.alloc(32, index).toString('base64url');
    const created = await passkeys.verifyCreation(
      RP,
      challenge,
      key.create({ challenge, origin: RP.origin, rpId: RP.id }),
    );
    if (created.outcome !== 'ok') throw new Error(created.reason);
    await passkeys.add(ctx, account, created.passkey);
    citizens.push({ email, device, key });
  }
  const refused: string[] = [];
  const enter = async ({ email, device, key }: Citizen): Promise<void> => {
    const byPassword = await passwords.verify(ctx, hashing, email, new Secret(right), {
      address: '203.0.113.1',
      device,
    });
    if (byPassword.outcome !== 'proven') refused.push(`${email} by password: ${byPassword.outcome}`);
    const challenge = Buffer.alloc(32, 7).toString('base64url');
    const byKey = await passkeys.verify(ctx, RP, challenge, key.get({ challenge, origin: RP.origin, rpId: RP.id }));
    if (byKey.outcome !== 'proven') refused.push(`${email} by passkey: ${byKey.outcome}`);
  };
  for (let sent = 0; sent < PAIRS; sent += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, offset) => {
        const index = sent + offset;
        const known = citizens[index % CITIZENS];
        const identifier = index % 3 === 0 && known !== undefined ? known.email : `fremd${index}@anderswo.example`;
        const address = `10.${Math.floor((index % ADDRESSES) / 250)}.${index % 250}.9`;
        return passwords.verify(ctx, hashing, identifier, new Secret(`gestohlen ${index}`), { address });
      }),
    );
    const citizen = citizens[(sent / AT_ONCE) % CITIZENS];
    if (citizen !== undefined) await enter(citizen);
  }
  for (const citizen of citizens) await enter(citizen);
  t.deepEqual(refused, []);
  await domain.database.drop();
});
