/** The texts about electronic identities in German. */
export const identityDe = {
  buttons: {
    signIn: 'Mit einem Ausweis anmelden',
    proof: 'Angaben aus dem Ausweis übernehmen',
    eid: 'Mit dem Online-Ausweis',
    bundid: 'Mit der BundID',
    upstream: 'Anmeldung für Beschäftigte',
  },
  eid: {
    title: 'Mit dem Online-Ausweis',
    lead: 'Sie brauchen dafür:',
    card: 'Ihren Personalausweis, Aufenthaltstitel oder Ihre Unionsbürgerkarte mit eingeschalteter Online-Funktion',
    pin: 'Ihre selbst gewählte sechsstellige PIN',
    reader: 'die AusweisApp und ein Smartphone oder ein Kartenlesegerät',
    open: 'AusweisApp öffnen',
    openMobile: 'Auf diesem Smartphone öffnen',
    openDesktop: 'Auf diesem Computer öffnen',
    notRunning:
      'Auf diesem Gerät antwortet keine AusweisApp. Starten Sie sie und öffnen Sie diese Seite dann noch einmal.',
    missingTitle: 'Die AusweisApp öffnet sich nicht?',
    missing: 'Die AusweisApp ist kostenlos. Installieren und starten Sie sie und kommen Sie dann hierher zurück.',
    download: 'AusweisApp herunterladen (ausweisapp.bund.de)',
    otherWays: 'Ohne AusweisApp können Sie sich auf jedem anderen Weg anmelden. Gehen Sie dafür zurück.',
  },
  bundid: {
    title: 'Weiter zur BundID',
    lead: 'Sie melden sich auf der Seite der BundID an und kommen danach hierher zurück.',
    submit: 'Weiter zur BundID',
    over: 'Dieser Versuch ist abgelaufen. Gehen Sie zurück und beginnen Sie noch einmal.',
  },
  upstream: {
    title: 'Anmeldung für Beschäftigte',
    lead: 'Sie melden sich bei Ihrem Arbeitgeber an und kommen danach hierher zurück.',
    submit: 'Weiter',
    over: 'Dieser Versuch ist abgelaufen. Gehen Sie zurück und beginnen Sie noch einmal.',
  },
  unknown: {
    title: {
      eid: 'Dieser Ausweis ist hier noch nicht bekannt',
      bundid: 'Diese BundID ist hier noch nicht bekannt',
      staff: 'Diese Anmeldung ist hier noch nicht bekannt',
    },
    openTitle: { eid: 'Neues Konto anlegen', bundid: 'Neues Konto anlegen', staff: 'Zum ersten Mal hier?' },
    openText: {
      eid: 'Sie brauchen dafür weder E-Mail-Adresse noch Passwort. Sie melden sich künftig genauso an wie eben.',
      bundid: 'Sie brauchen dafür weder E-Mail-Adresse noch Passwort. Sie melden sich künftig genauso an wie eben.',
      staff:
        'Wir legen ein Dienstkonto für Sie an. Es ist von Ihrem Bürgerkonto getrennt, und künftig fragen wir nicht mehr.',
    },
    open: { eid: 'Konto anlegen', bundid: 'Konto anlegen', staff: 'Weiter' },
    linkTitle: {
      eid: 'Sie haben schon ein Konto?',
      bundid: 'Sie haben schon ein Konto?',
      staff: 'Sie haben schon ein Dienstkonto mit Passkey?',
    },
    linkText: {
      eid: 'Melden Sie sich einmal wie gewohnt an. Danach können Sie beides verknüpfen.',
      bundid: 'Melden Sie sich einmal wie gewohnt an. Danach können Sie beides verknüpfen.',
      staff: 'Melden Sie sich einmal mit dem Passkey an. Danach können Sie beides verknüpfen.',
    },
    link: 'Mit meinem Konto verknüpfen',
  },
  link: {
    title: {
      eid: 'Ausweis mit dem Konto verknüpfen?',
      bundid: 'BundID mit dem Konto verknüpfen?',
      staff: 'Anmeldung mit dem Konto verknüpfen?',
    },
    lead: 'Künftig können Sie sich damit bei diesem Konto anmelden:',
    account: 'Konto',
    submit: 'Verknüpfen',
    newCard: {
      eid: 'Mit der neuen Karte ausweisen',
      bundid: 'Noch einmal mit der BundID anmelden',
      staff: 'Noch einmal anmelden',
    },
    leave: 'Nicht verknüpfen',
  },
  double: {
    title: 'Sie haben noch ein anderes Konto',
    lead: {
      eid: 'Mit diesem Ausweis melden Sie sich schon bei einem anderen Konto an.',
      bundid: 'Mit dieser BundID melden Sie sich schon bei einem anderen Konto an.',
    },
    days: (days: number) =>
      `Sie können eines der beiden schließen. Es wird dann nach ${days} Tagen mit allen Angaben gelöscht. Bis dahin können Sie sich dort noch anmelden und es sich anders überlegen; wenn Sie keinen anderen Weg dorthin haben, hilft das Bürgerbüro.`,
    thisTitle: 'Dieses Konto behalten',
    thisText: (kennung: string) =>
      `Das ist das Konto, mit dem Sie gerade angemeldet sind (${kennung}). Sie melden sich künftig auch mit dem Ausweis oder der BundID hier an.`,
    keepThis: 'Dieses behalten, das andere schließen',
    otherTitle: 'Das andere Konto behalten',
    otherText: 'Das ist das Konto, zu dem der Ausweis oder die BundID bisher gehört.',
    keepOther: 'Das andere behalten, dieses schließen',
    leave: 'Beide behalten',
  },
  konto: {
    title: 'Ausweise und BundID',
    lead: 'Damit können Sie sich bei diesem Konto anmelden.',
    none: 'Mit diesem Konto ist kein Ausweis und keine BundID verknüpft.',
    linked: 'Verknüpft',
    addTitle: 'Verknüpfen',
    addText: 'Danach können Sie sich auch damit bei diesem Konto anmelden. Sie bekommen dazu eine Nachricht.',
    newCard: 'Haben Sie eine neue Karte, ersetzt sie die alte. Dabei werden Name und Geburtsdatum verglichen.',
    add: { eid: 'Online-Ausweis verknüpfen', bundid: 'BundID verknüpfen' },
    cancel: 'Abbrechen',
    retired: (day: string) => `durch eine neue Karte ersetzt am ${day}`,
    names: { eid: 'Online-Ausweis', bundid: 'BundID', staff: 'Anmeldung für Beschäftigte' },
    remove: 'Verknüpfung aufheben',
    since: (day: string) => `verknüpft am ${day}`,
    removeHint: 'Danach können Sie sich damit nicht mehr bei diesem Konto anmelden.',
  },
  mail: {
    subject: 'An Ihrem Konto beim Stadtschlüssel wurde etwas geändert',
    linked: (town: string) =>
      `Guten Tag,\n\nmit Ihrem Konto wurde gerade ein Ausweis oder eine BundID verknüpft. Damit kann man sich künftig anmelden.\n\nWaren Sie das nicht? Dann wenden Sie sich bitte sofort an uns.\n\n${town}\n`,
    unlinked: (town: string) =>
      `Guten Tag,\n\nvon Ihrem Konto wurde gerade ein Ausweis oder eine BundID gelöst. Damit kann man sich nicht mehr anmelden.\n\nWaren Sie das nicht? Dann wenden Sie sich bitte sofort an uns.\n\n${town}\n`,
    kept: (town: string) =>
      `Guten Tag,\n\nSie hatten zwei Konten und haben gerade eines davon geschlossen. Dieses Konto bleibt; das andere wird gelöscht.\n\nWaren Sie das nicht? Dann wenden Sie sich bitte sofort an uns.\n\n${town}\n`,
  },
  faults: {
    cancelled: 'Sie haben den Vorgang abgebrochen. Sie können es noch einmal versuchen oder einen anderen Weg wählen.',
    'card-refused':
      'Diese Karte kann nicht benutzt werden: Sie ist gesperrt oder abgelaufen. Auskunft gibt das Bürgerbüro.',
    'card-denied':
      'Diese Art von Ausweis reicht hier nicht aus, zum Beispiel eine Online-Funktion, die nur im Smartphone liegt. Nehmen Sie die Karte selbst.',
    level: 'Diese Anmeldung ist nicht sicher genug für das, was Sie vorhaben. Wählen Sie einen anderen Weg.',
    attributes:
      'In Ihrer BundID fehlen Angaben, die hier gebraucht werden. Ergänzen Sie sie dort oder wählen Sie einen anderen Weg.',
    'not-read': 'Die Karte wurde nicht gelesen. Versuchen Sie es noch einmal.',
    connection: 'Die Verbindung der AusweisApp ist abgebrochen. Versuchen Sie es noch einmal.',
    unavailable:
      'Dieser Weg ist gerade nicht erreichbar. Bitte wählen Sie einen anderen oder versuchen Sie es später noch einmal.',
    failed: 'Das hat nicht geklappt. Versuchen Sie es noch einmal oder wählen Sie einen anderen Weg.',
    temporary:
      'Sie haben sich bei der BundID ohne Konto angemeldet. Damit kann man sich hier nicht wieder anmelden. Bitte nutzen Sie ein BundID-Konto.',
    'not-confirmed': 'Der Ausweis bestätigt das nicht.',
    retired: 'Diese Karte wurde durch eine neuere ersetzt. Bitte benutzen Sie die neue Karte.',
    'not-active': 'Dieses Konto kann zurzeit nicht genutzt werden. Bitte wenden Sie sich an die Stadt.',
    contradiction:
      'Die Angaben passen nicht zu dem, was über dieses Konto schon nachgewiesen ist. Wenn das ein Irrtum ist, hilft Ihnen das Bürgerbüro.',
    'new-card':
      'Mit diesem Konto ist schon eine andere Karte verknüpft. Wenn dies Ihre neue Karte ist, weisen Sie sich bitte noch einmal damit aus; dabei werden Name und Geburtsdatum verglichen.',
    'not-fresh':
      'Zum Verknüpfen müssen Sie sich gerade eben angemeldet haben. Bitte melden Sie sich ab und noch einmal an.',
    'stronger-factor': 'Zum Verknüpfen melden Sie sich bitte mit Ihrem Passkey an.',
    weaker:
      'Das andere Konto ist stärker geschützt als durch diese Anmeldung. Bitte melden Sie sich dort an und löschen Sie es unter „Meine Daten“.',
    'last-way-in':
      'Das ist der letzte Weg, sich bei diesem Konto anzumelden. Fügen Sie zuerst einen Passkey oder ein Passwort hinzu.',
    'wrong-kind':
      'Ausweise gehören zu Konten von Bürgerinnen und Bürgern, die Anmeldung für Beschäftigte zu deren dienstlichen Konten. Beides lässt sich nicht mischen.',
    taken: 'Damit meldet man sich schon bei einem anderen Konto an. Bitte nutzen Sie dieses.',
  },
};
