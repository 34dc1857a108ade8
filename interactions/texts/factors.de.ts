/** Second factors, forgotten passwords, levels, mails about the account: in German. */
export const factorsDe = {
  signInMore: {
    shared: 'Andere nutzen dieses Gerät auch (zum Beispiel in der Bibliothek)',
    sharedHint: 'Sie werden dann beim Schließen des Browsers und nach 10 Minuten ohne Nutzung abgemeldet.',
    sharedNetwork:
      'Sie nutzen einen öffentlichen Computer. Sie werden beim Schließen des Browsers und nach 10 Minuten ohne Nutzung abgemeldet.',
    again: 'Bitte bestätigen Sie, dass Sie es sind',
    againLead: (service: string) => `Für „${service}“ brauchen wir eine frische Bestätigung.`,
    as: 'Sie sind angemeldet als',
    notHere:
      'Sie sitzen an einem öffentlichen Computer. Speichern Sie den Passkey nicht hier, sondern auf Ihrem Handy („Anderes Gerät“ oder „Smartphone“) oder auf Ihrem Sicherheitsschlüssel.',
    passkeyOnly: 'Der Dienst verlangt eine Anmeldung mit Passkey.',
    otherAccount: 'Mit einem anderen Konto anmelden',
    otherWays: 'Andere Wege zur Anmeldung',
    forgotten: 'Passwort vergessen?',
    skip: 'Ohne diese Bestätigung weiter',
  },
  secondFactor: {
    title: 'Bitte geben Sie Ihren zweiten Faktor ein',
    lead: 'Öffnen Sie die App, die Ihnen Codes anzeigt, und geben Sie den aktuellen Code ein.',
    label: 'Code aus der App',
    hint: '6 Ziffern',
    submit: 'Bestätigen',
    backupTitle: 'App nicht zur Hand?',
    noPasskeyTitle: 'Passkey nicht zur Hand?',
    backupText: 'Nutzen Sie einen Ihrer Ersatzcodes vom Ausdruck. Jeder gilt einmal.',
    backupOnly: 'Geben Sie einen Ihrer Ersatzcodes vom Ausdruck ein. Jeder gilt einmal.',
    backupLabel: 'Ersatzcode',
    backupSubmit: 'Mit Ersatzcode bestätigen',
    missing: 'Geben Sie den Code ein.',
    wrong: 'Dieser Code stimmt nicht oder wurde schon benutzt. Warten Sie auf den nächsten Code in der App.',
  },
  levelMissing: {
    title: 'Für diesen Dienst müssen Sie sich ausweisen',
    lead: (service: string) =>
      `„${service}“ verlangt ein höheres Vertrauensniveau, als Ihr Konto zurzeit hat. Mit Ihren heutigen Anmeldewegen ist es nicht zu erreichen.`,
    how: 'So geht es weiter',
    eid: 'Weisen Sie sich mit der Online-Funktion Ihres Personalausweises aus, sobald der Dienst das anbietet.',
    factors: 'Richten Sie in Ihrem Konto einen Passkey oder eine App als zweiten Faktor ein.',
    office: 'Oder kommen Sie mit Ihrem Ausweis ins Bürgerbüro:',
    toKonto: 'Zu meinem Konto',
    back: 'Zurück zum Dienst',
  },
  otherWays: {
    title: 'Andere Wege zur Anmeldung',
    phoneTitle: 'Der Passkey ist auf Ihrem Handy oder Tablet',
    phoneText:
      'Wählen Sie „Mit Passkey anmelden“ und dann „Anderes Gerät“ oder „Smartphone“. Auf dem Bildschirm erscheint ein Quadrat-Muster (QR-Code). Fotografieren Sie es mit der Kamera Ihres Handys ab und bestätigen Sie dort mit Fingerabdruck, Gesicht oder PIN. Bluetooth muss an beiden Geräten eingeschaltet sein.',
    keyTitle: 'Sie haben einen Sicherheitsschlüssel (USB oder NFC)',
    keyText: 'Geben Sie hier zuerst Ihre E-Mail-Adresse oder Bürgerkennung ein, dann findet der Schlüssel Ihr Konto.',
    passwordTitle: 'Sie haben ein Passwort',
    passwordText: 'Gehen Sie zurück und melden Sie sich mit Ihrem Passwort an.',
    codesTitle: 'Sie haben Ihre Ersatzcodes',
    codesText: 'Mit einem Ersatzcode legen Sie ein neues Passwort fest.',
    nothingTitle: 'Nichts davon ist da',
    nothingText:
      'Im Bürgerbüro stellen wir mit Ihrem Ausweis Ihren Zugang wieder her. Aus Sicherheitsgründen geht das nicht per E-Mail oder Telefon.',
  },
  forgotten: {
    title: 'Passwort vergessen',
    lead: 'Sie brauchen etwas, das nur Sie haben. Eine E-Mail allein genügt nicht: Wer Ihr Postfach liest, soll nicht auch Ihr Konto bekommen.',
    passkeyTitle: 'Sie haben einen Passkey?',
    passkeyText: 'Melden Sie sich damit an und ändern Sie das Passwort dann in Ihrem Konto.',
    cardTitle: 'Mit einem Ausweis anmelden',
    cardText:
      'Ist Ihr Ausweis oder Ihre BundID mit dem Konto verknüpft? Melden Sie sich damit an und ändern Sie das Passwort dann in Ihrem Konto.',
    codeTitle: 'Sie haben einen Ersatzcode?',
    codeLabel: 'Ersatzcode',
    codeHint: 'Vom Ausdruck, zum Beispiel ABCD-1234-EFGH-5678',
    submit: 'Weiter',
    codeMissing: 'Geben Sie einen Ersatzcode ein.',
    wrong: 'Diese Angaben passen nicht zusammen. Prüfen Sie E-Mail-Adresse oder Bürgerkennung und den Ersatzcode.',
    otpTitle: 'Bitte bestätigen Sie auch mit Ihrer App',
    otpLead: 'Ihr Konto hat einen zweiten Faktor. Er bleibt auch jetzt nötig.',
    nothingTitle: 'Sie haben nichts davon?',
    nothingText: 'Kommen Sie mit Ihrem Ausweis ins Bürgerbüro. Dort stellen wir Ihren Zugang wieder her:',
    newTitle: 'Legen Sie ein neues Passwort fest',
    newLead: 'Danach sind Sie auf allen anderen Geräten abgemeldet.',
  },
  finder: {
    title: 'Welche Anmeldung passt zu mir?',
    lead: 'Zwei oder drei kurze Fragen, dann empfehlen wir Ihnen einen Weg.',
    missing: 'Wählen Sie eine Antwort aus.',
    submit: 'Weiter',
    previous: 'Eine Frage zurück',
    restart: 'Von vorn beginnen',
    questions: {
      phone: {
        text: 'Haben Sie ein eigenes Smartphone oder Tablet?',
        answers: { yes: 'Ja', no: 'Nein, oder ich möchte es dafür nicht benutzen' },
      },
      lock: {
        text: 'Wie entsperren Sie Ihr Smartphone oder Tablet?',
        answers: {
          yes: 'Mit Fingerabdruck, Gesicht, PIN oder Muster',
          no: 'Gar nicht, oder es ist schon sehr alt',
        },
      },
      computer: {
        text: 'Haben Sie einen Computer, den nur Sie benutzen?',
        answers: {
          own: 'Ja, nur ich benutze ihn',
          shared: 'Nein, andere benutzen ihn auch, zum Beispiel in der Familie oder in der Bibliothek',
          none: 'Nein, ich habe gar keinen Computer',
        },
      },
      own: {
        text: 'Womit möchten Sie sich anmelden?',
        answers: {
          unlock: 'So, wie ich den Computer entsperre: mit PIN, Fingerabdruck oder Gesicht',
          key: 'Mit einem Sicherheitsschlüssel für die USB-Buchse',
          paper: 'Lieber mit etwas auf Papier',
        },
      },
      shared: {
        text: 'Haben Sie einen Sicherheitsschlüssel für die USB-Buchse, oder möchten Sie lieber etwas auf Papier?',
        answers: {
          key: 'Ich habe einen Sicherheitsschlüssel oder besorge mir einen',
          paper: 'Lieber etwas auf Papier',
        },
      },
    },
    advice: {
      phone: {
        title: 'Ein Passkey auf Ihrem Smartphone oder Tablet',
        text: 'Sie bestätigen die Anmeldung so, wie Sie das Gerät entsperren. Das ist am einfachsten und am sichersten.',
        how: [
          'Lesen Sie diese Seite gerade auf dem Smartphone oder Tablet? Dann wählen Sie unten „Passkey anlegen“.',
          'Sitzen Sie an einem Computer? Wählen Sie „Passkey anlegen“ und dann „Anderes Gerät“ oder „Smartphone“. Fotografieren Sie das Quadrat-Muster (QR-Code) mit dem Smartphone ab. Bluetooth muss an beiden Geräten eingeschaltet sein.',
        ],
      },
      computer: {
        title: 'Ein Passkey auf Ihrem Computer',
        text: 'Sie bestätigen die Anmeldung so, wie Sie den Computer entsperren. Niemand kann Ihnen dabei ein Passwort stehlen.',
        how: [
          'Öffnen Sie diese Seite an dem Computer, den nur Sie benutzen.',
          'Wählen Sie „Passkey anlegen“ und bestätigen Sie mit PIN, Fingerabdruck oder Gesicht. Unter Windows heißt das „Windows Hello“.',
          'Drucken Sie sich in Ihrem Konto auch Ersatzcodes aus, falls der Computer einmal kaputtgeht.',
        ],
      },
      key: {
        title: 'Ein Sicherheitsschlüssel',
        text: 'Er sieht aus wie ein USB-Stick und passt an den Schlüsselbund. Er funktioniert auch an fremden Computern und braucht kein Smartphone.',
        how: [
          'Sie brauchen einen Schlüssel mit der Angabe „FIDO2“. Es gibt ihn im Elektronikhandel.',
          'Stecken Sie ihn ein, wählen Sie „Passkey anlegen“ und dann „Sicherheitsschlüssel“. Beim ersten Mal denken Sie sich eine PIN für den Schlüssel aus.',
          'Drucken Sie sich in Ihrem Konto auch Ersatzcodes aus, falls Sie den Schlüssel verlieren.',
        ],
      },
      app: {
        title: 'Ein Passwort und eine App, die Codes anzeigt',
        text: 'Nach dem Passwort geben Sie einen Code ein, den die App anzeigt. Die App braucht dafür kein Internet.',
        how: ['Installieren Sie eine App für Einmalcodes. Man nennt sie auch „Authenticator“ oder „TOTP-App“.'],
      },
      paper: {
        title: 'Ein Passwort und Ersatzcodes auf Papier',
        text: 'Verlangt ein Dienst mehr als das Passwort, geben Sie einen Code von Ihrem Ausdruck ein. Sie brauchen kein eigenes Gerät.',
        how: [
          'Sie bekommen zehn Codes zum Ausdrucken oder Abschreiben. Jeder gilt einmal.',
          'Bewahren Sie die Codes und das Passwort nicht am selben Ort auf.',
          'Sind nur noch wenige übrig, erstellen Sie in Ihrem Konto neue.',
          'Kreuzen Sie an fremden Computern beim Anmelden an, dass andere das Gerät auch nutzen.',
        ],
      },
    },
    appNow: 'Auf der nächsten Seite fotografieren Sie mit der App ein Quadrat-Muster (QR-Code) ab.',
    appLater:
      'Legen Sie jetzt ein Passwort fest. Die App richten Sie danach in Ihrem Konto ein, unter „App für Codes“.',
    ratherPassword: 'Lieber ein Passwort festlegen',
    setUpApp: 'App einrichten',
    setUpCodes: 'Ersatzcodes erstellen',
    setUpPassword: 'Zuerst ein Passwort festlegen',
    already: 'Das haben Sie schon:',
    nothing: 'Passt das alles nicht? Im Bürgerbüro helfen wir Ihnen persönlich:',
  },
  offerPasskey: {
    title: 'Nächstes Mal ohne Passwort?',
    lead: 'Mit einem Passkey melden Sie sich mit Fingerabdruck, Gesicht oder Gerätesperre an. Das Passwort bleibt daneben gültig.',
    submit: 'Passkey anlegen',
    later: 'Jetzt nicht',
    aborted: 'Das Anlegen des Passkeys wurde abgebrochen. Sie können es noch einmal versuchen oder weitergehen.',
  },
  notices: {
    unknownDevice: 'ein unbekanntes Gerät',
    newDeviceSubject: 'Anmeldung mit einem neuen Gerät',
    newDevice: (device: string, time: string, konto: string, town: string) =>
      `Guten Tag,\n\nIhr Konto wurde am ${time} Uhr mit einem neuen Gerät genutzt: ${device}.\n\nWaren Sie das? Dann ist nichts zu tun.\nWaren Sie es nicht? Dann beenden Sie die Sitzung und ändern Sie Ihr Passwort: ${konto}\nOder wenden Sie sich an die Stadt.\n\n${town}\n`,
    changedSubject: 'In Ihrem Konto wurde etwas geändert',
    changed: (what: string, time: string, konto: string, town: string) =>
      `Guten Tag,\n\nin Ihrem Konto wurde am ${time} Uhr etwas geändert:\n\n${what}\n\nWaren Sie das? Dann ist nichts zu tun.\nWaren Sie es nicht? Dann sehen Sie bitte sofort nach: ${konto}\nOder wenden Sie sich an die Stadt.\n\n${town}\n`,
    what: {
      'passkey-added': 'Ein Passkey wurde hinzugefügt.',
      'passkey-removed': 'Ein Passkey wurde entfernt.',
      'password-changed': 'Das Passwort wurde geändert.',
      'password-recovered': 'Das Passwort wurde mit einem Ersatzcode neu festgelegt.',
      'totp-enrolled': 'Eine App für Codes wurde als zweiter Faktor eingerichtet.',
      'totp-removed': 'Die App für Codes wurde als zweiter Faktor entfernt.',
      'backup-codes-created': 'Neue Ersatzcodes wurden erstellt. Die früheren gelten nicht mehr.',
      'email-changed': 'Die E-Mail-Adresse wurde geändert.',
    },
  },
};
