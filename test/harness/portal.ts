/** What a developer copies from a page of the portal. */

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

/** The example with this id on the page of examples, as the browser would show it. */
export const exampleOn = (page: string, id: string): string => {
  const section = page.split('<section>').find((one) => one.includes(`id="${id}"`)) ?? '';
  const [, markup] = /<code>([\s\S]*?)<\/code>/.exec(section) ?? [];
  if (markup === undefined) throw new Error(`no example ${id} on the page`);
  return markup.replace(/&(#?\w+);/g, (entity, name: string) => ENTITIES[name] ?? entity);
};
