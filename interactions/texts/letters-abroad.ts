import type { LetterTexts } from './letters.ts';

/** What the second page of a letter to a citizen says: it stands behind the German one, with the same code. */
export type LetterWords = Pick<
  LetterTexts['letter'],
  'greeting' | 'steps' | 'kennung' | 'validity' | 'secret' | 'help' | 'library' | 'closing'
> & {
  readonly subject: { readonly recovery: string; readonly activation: string };
  readonly lead: { readonly recovery: string; readonly activation: string };
};

/** Languages in which letters exist and pages do not; the typeface of the letters has their scripts. */
export const ABROAD: Readonly<Record<string, LetterWords>> = {
  tr: {
    subject: { recovery: 'Hesabınıza yeni giriş', activation: 'Hesabınızı etkinleştirin' },
    greeting: 'Merhaba,',
    lead: {
      recovery: 'Hesabınıza yeni bir giriş istediniz. Şöyle yapın:',
      activation: 'Hesabınız açıldı. Şöyle etkinleştirin:',
    },
    steps: (address) => [
      `İnternette şu sayfayı açın: ${address} – veya telefonunuzun kamerasını birinci sayfadaki resme tutun.`,
      'Şu kodu girin:',
      'Sayfadaki adımları izleyin. Yaklaşık üç dakika sürer.',
    ],
    kennung: (kennung) => `Vatandaş kimliğiniz (Bürgerkennung): ${kennung}`,
    validity: (from, until) => `Kod ${from} ile ${until} arasında geçerlidir. Yalnızca bir kez kullanılabilir.`,
    secret: 'Kodu kimseye göstermeyin. Belediyeden kimse size telefonda kodu sormaz.',
    help: (office) => `İnternetiniz yok mu, ya da olmadı mı? Bize gelin: ${office}`,
    library: 'Şehir kütüphanesinin bilgisayarlarında da yapabilirsiniz.',
    closing: 'Saygılarımızla',
  },
  pl: {
    subject: { recovery: 'Nowy dostęp do Państwa konta', activation: 'Aktywacja Państwa konta' },
    greeting: 'Dzień dobry,',
    lead: {
      recovery: 'Poprosili Państwo o nowy dostęp do swojego konta. Proszę postępować tak:',
      activation: 'Państwa konto zostało utworzone. Aby je aktywować:',
    },
    steps: (address) => [
      `Proszę otworzyć w internecie stronę ${address} – albo skierować aparat telefonu na obrazek na pierwszej stronie.`,
      'Proszę wpisać ten kod:',
      'Dalej według wskazówek na stronie. Zajmie to około trzech minut.',
    ],
    kennung: (kennung) => `Państwa identyfikator (Bürgerkennung): ${kennung}`,
    validity: (from, until) => `Kod jest ważny od ${from} do ${until}. Można go użyć tylko raz.`,
    secret: 'Proszę nikomu nie pokazywać kodu. Nikt z urzędu nie zapyta o niego przez telefon.',
    help: (office) => `Nie mają Państwo internetu albo coś nie działa? Zapraszamy do nas: ${office}`,
    library: 'Można to zrobić także na komputerach w bibliotece miejskiej.',
    closing: 'Z poważaniem',
  },
  ru: {
    subject: { recovery: 'Новый доступ к вашей учётной записи', activation: 'Активация вашей учётной записи' },
    greeting: 'Здравствуйте!',
    lead: {
      recovery: 'Вы попросили новый доступ к вашей учётной записи. Сделайте так:',
      activation: 'Ваша учётная запись создана. Чтобы её активировать:',
    },
    steps: (address) => [
      `Откройте в интернете страницу ${address} или наведите камеру телефона на картинку на первой странице.`,
      'Введите этот код:',
      'Следуйте указаниям на странице. Это займёт около трёх минут.',
    ],
    kennung: (kennung) => `Ваш идентификатор (Bürgerkennung): ${kennung}`,
    validity: (from, until) => `Код действует с ${from} до ${until}. Его можно использовать только один раз.`,
    secret: 'Никому не показывайте код. Никто из городской администрации не спросит его по телефону.',
    help: (office) => `Нет интернета или не получается? Приходите к нам: ${office}`,
    library: 'Это можно сделать и на компьютерах городской библиотеки.',
    closing: 'С уважением',
  },
  uk: {
    subject: { recovery: 'Новий доступ до вашого облікового запису', activation: 'Активація вашого облікового запису' },
    greeting: 'Добрий день!',
    lead: {
      recovery: 'Ви попросили новий доступ до вашого облікового запису. Зробіть так:',
      activation: 'Ваш обліковий запис створено. Щоб його активувати:',
    },
    steps: (address) => [
      `Відкрийте в інтернеті сторінку ${address} або наведіть камеру телефона на малюнок на першій сторінці.`,
      'Введіть цей код:',
      'Дотримуйтеся вказівок на сторінці. Це триватиме близько трьох хвилин.',
    ],
    kennung: (kennung) => `Ваш ідентифікатор (Bürgerkennung): ${kennung}`,
    validity: (from, until) => `Код діє з ${from} до ${until}. Його можна використати лише один раз.`,
    secret: 'Нікому не показуйте код. Ніхто з міської адміністрації не запитає його телефоном.',
    help: (office) => `Немає інтернету або не виходить? Приходьте до нас: ${office}`,
    library: 'Це можна зробити й на комп’ютерах міської бібліотеки.',
    closing: 'З повагою',
  },
};
