import type { factorsDe } from './factors.de.ts';

/** Second factors, forgotten passwords, levels, mails about the account: in English. */
export const factorsEn: typeof factorsDe = {
  signInMore: {
    shared: 'Other people use this device too (for example in the library)',
    sharedHint: 'You are then signed out when the browser is closed and after 10 minutes without use.',
    sharedNetwork:
      'You are using a public computer. You are signed out when the browser is closed and after 10 minutes without use.',
    again: 'Please confirm that it is you',
    againLead: (service) => `“${service}” needs a fresh confirmation.`,
    as: 'You are signed in as',
    notHere:
      'You are at a public computer. Do not save the passkey here, but on your phone (“Another device” or “Smartphone”) or on your security key.',
    passkeyOnly: 'The service requires a sign-in with a passkey.',
    otherAccount: 'Sign in with another account',
    otherWays: 'Other ways to sign in',
    forgotten: 'Forgotten your password?',
    skip: 'Continue without this confirmation',
  },
  secondFactor: {
    title: 'Please enter your second factor',
    lead: 'Open the app that shows you codes and enter the current one.',
    label: 'Code from the app',
    hint: '6 digits',
    submit: 'Confirm',
    backupTitle: 'App not at hand?',
    noPasskeyTitle: 'No passkey at hand?',
    backupText: 'Use one of the backup codes from your printout. Each works once.',
    backupOnly: 'Enter one of the backup codes from your printout. Each works once.',
    backupLabel: 'Backup code',
    backupSubmit: 'Confirm with a backup code',
    missing: 'Enter the code.',
    wrong: 'This code is wrong or was used before. Wait for the next code in the app.',
  },
  levelMissing: {
    title: 'This service needs proof of who you are',
    lead: (service) =>
      `“${service}” requires a higher level of assurance than your account has. It cannot be reached with the ways in which you sign in today.`,
    how: 'How to go on',
    eid: 'Identify yourself with the online function of your identity card, as soon as the service offers it.',
    factors: 'Set up a passkey or an authenticator app in your account.',
    office: 'Or come to the citizens’ office with your identity card:',
    toKonto: 'To my account',
    back: 'Back to the service',
  },
  otherWays: {
    title: 'Other ways to sign in',
    phoneTitle: 'The passkey is on your phone or tablet',
    phoneText:
      'Choose “Sign in with a passkey” and then “Another device” or “Smartphone”. A square pattern (QR code) appears on the screen. Point the camera of your phone at it and confirm there with fingerprint, face or PIN. Bluetooth must be switched on on both devices.',
    keyTitle: 'You have a security key (USB or NFC)',
    keyText: 'First enter your e-mail address or citizen ID here, then the key finds your account.',
    passwordTitle: 'You have a password',
    passwordText: 'Go back and sign in with your password.',
    codesTitle: 'You have your backup codes',
    codesText: 'With a backup code you set a new password.',
    nothingTitle: 'None of these',
    nothingText:
      'At the citizens’ office we restore your access with your identity card. For your security this is not done by e-mail or telephone.',
  },
  forgotten: {
    title: 'Forgotten password',
    lead: 'You need something that only you have. An e-mail is not enough: whoever reads your mailbox should not get your account as well.',
    passkeyTitle: 'You have a passkey?',
    passkeyText: 'Sign in with it and then change the password in your account.',
    cardTitle: 'Sign in with an ID',
    cardText:
      'Is your ID card or BundID linked to the account? Sign in with it and then change the password in your account.',
    codeTitle: 'You have a backup code?',
    codeLabel: 'Backup code',
    codeHint: 'From your printout, for example ABCD-1234-EFGH-5678',
    submit: 'Continue',
    codeMissing: 'Enter a backup code.',
    wrong: 'These details do not match. Check your e-mail address or citizen ID and the backup code.',
    otpTitle: 'Please confirm with your app as well',
    otpLead: 'Your account has a second factor. It is needed now, too.',
    nothingTitle: 'You have none of these?',
    nothingText: 'Come to the citizens’ office with your identity card. There we restore your access:',
    newTitle: 'Set a new password',
    newLead: 'After that you are signed out on all other devices.',
  },
  finder: {
    title: 'Which way to sign in suits me?',
    lead: 'Two or three short questions, then we recommend one way.',
    missing: 'Choose an answer.',
    submit: 'Continue',
    previous: 'One question back',
    restart: 'Start again',
    questions: {
      phone: {
        text: 'Do you have a smartphone or tablet of your own?',
        answers: { yes: 'Yes', no: 'No, or I do not want to use it for this' },
      },
      lock: {
        text: 'How do you unlock your smartphone or tablet?',
        answers: {
          yes: 'With fingerprint, face, PIN or pattern',
          no: 'Not at all, or it is very old',
        },
      },
      computer: {
        text: 'Do you have a computer that only you use?',
        answers: {
          own: 'Yes, only I use it',
          shared: 'No, others use it too, for example in the family or at the library',
          none: 'No, I have no computer at all',
        },
      },
      own: {
        text: 'How would you like to sign in?',
        answers: {
          unlock: 'In the way I unlock the computer: with PIN, fingerprint or face',
          key: 'With a security key for the USB port',
          paper: 'Rather with something on paper',
        },
      },
      shared: {
        text: 'Do you have a security key for the USB port, or would you rather have something on paper?',
        answers: {
          key: 'I have a security key or will get one',
          paper: 'Rather something on paper',
        },
      },
    },
    advice: {
      phone: {
        title: 'A passkey on your smartphone or tablet',
        text: 'You confirm the sign-in in the way you unlock the device. This is the easiest and the safest way.',
        how: [
          'Are you reading this page on the smartphone or tablet? Then choose “Create a passkey” below.',
          'Are you at a computer? Choose “Create a passkey” and then “Another device” or “Smartphone”. Point the camera of the smartphone at the square pattern (QR code). Bluetooth must be switched on on both devices.',
        ],
      },
      computer: {
        title: 'A passkey on your computer',
        text: 'You confirm the sign-in in the way you unlock the computer. Nobody can steal a password from you.',
        how: [
          'Open this page at the computer that only you use.',
          'Choose “Create a passkey” and confirm with PIN, fingerprint or face. In Windows this is called “Windows Hello”.',
          'In your account, print backup codes as well, in case the computer breaks one day.',
        ],
      },
      key: {
        title: 'A security key',
        text: 'It looks like a USB stick and fits on a key ring. It works at other people’s computers, too, and needs no smartphone.',
        how: [
          'You need a key that is marked “FIDO2”. Electronics shops sell them.',
          'Plug it in, choose “Create a passkey” and then “Security key”. The first time you think of a PIN for the key.',
          'In your account, print backup codes as well, in case you lose the key.',
        ],
      },
      app: {
        title: 'A password and an app that shows codes',
        text: 'After the password you enter a code that the app shows. The app needs no internet for this.',
        how: ['Install an app for one-time codes. They are also called “authenticator” or “TOTP app”.'],
      },
      paper: {
        title: 'A password and backup codes on paper',
        text: 'If a service demands more than the password, you enter a code from your printout. You need no device of your own.',
        how: [
          'You get ten codes to print or copy. Each works once.',
          'Do not keep the codes and the password in the same place.',
          'When few are left, create new ones in your account.',
          'At other people’s computers, tick at the sign-in that others use the device too.',
        ],
      },
    },
    appNow: 'On the next page you point the camera of the app at a square pattern (QR code).',
    appLater: 'Set a password now. After that you set up the app in your account, under “App for codes”.',
    ratherPassword: 'Rather set a password',
    setUpApp: 'Set up the app',
    setUpCodes: 'Create backup codes',
    setUpPassword: 'Set a password first',
    already: 'You already have:',
    nothing: 'Does none of this suit you? At the citizens’ office we help you in person:',
  },
  offerPasskey: {
    title: 'Next time without a password?',
    lead: 'With a passkey you sign in with your fingerprint, face or screen lock. The password stays valid beside it.',
    submit: 'Create a passkey',
    later: 'Not now',
    aborted: 'Creating the passkey was cancelled. You can try again or continue.',
  },
  notices: {
    unknownDevice: 'an unknown device',
    newDeviceSubject: 'Sign-in with a new device',
    newDevice: (device, time, konto, town) =>
      `Hello,\n\nYour account was used on ${time} with a new device: ${device}.\n\nWas it you? Then there is nothing to do.\nWas it not you? Then end the session and change your password: ${konto}\nOr contact the town.\n\n${town}\n`,
    changedSubject: 'Something was changed in your account',
    changed: (what, time, konto, town) =>
      `Hello,\n\nSomething was changed in your account on ${time}:\n\n${what}\n\nWas it you? Then there is nothing to do.\nWas it not you? Then please look at once: ${konto}\nOr contact the town.\n\n${town}\n`,
    what: {
      'passkey-added': 'A passkey was added.',
      'passkey-removed': 'A passkey was removed.',
      'password-changed': 'The password was changed.',
      'password-recovered': 'The password was set anew with a backup code.',
      'totp-enrolled': 'An authenticator app was set up as a second factor.',
      'totp-removed': 'The authenticator app was removed as a second factor.',
      'backup-codes-created': 'New backup codes were made. The earlier ones no longer work.',
      'email-changed': 'The e-mail address was changed.',
    },
  },
};
