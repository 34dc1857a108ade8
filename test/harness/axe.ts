/** axe-core in a page, and what else every page must be: one heading, its language, no wider than a small phone. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Page } from './browser.ts';

type Violation = { id: string; help: string; nodes: { html: string }[] };

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Of all the rules only the contrast depends on the colour scheme. */
const RULES = {
  light: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  dark: ['color-contrast'],
};
/** A folder that gets a picture of each page. */
const SCREENSHOTS = process.env['SCREENSHOTS'];
/** WCAG 2.2, 1.4.10 Reflow: no scrolling in two directions at a width of 320 CSS pixels. */
const SMALL_PHONE = { width: 320, height: 640 };

const violations = async (page: Page, rules: readonly string[]): Promise<string[]> => {
  // Each new document needs it once; the context bypasses the pages' own CSP, which would refuse it.
  await page.evaluate(`window.axe || (() => { ${AXE} })()`);
  const found = (await page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(rules)} })`)) as {
    violations: Violation[];
  };
  return found.violations.map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map(({ html }) => html).join(' ')}`);
};

export type Size = { readonly name: string; readonly viewport: { width: number; height: number } };

/** Looks at the page that is open, light and dark. */
export const look =
  (t: ExecutionContext, page: Page, size: Size, language: string) =>
  async (name: string): Promise<void> => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      t.deepEqual(await violations(page, RULES[colorScheme]), [], `${name}, ${language}, ${colorScheme}`);
      if (SCREENSHOTS !== undefined) {
        mkdirSync(SCREENSHOTS, { recursive: true });
        const file = `${language}-${size.name}-${colorScheme}-${name}.png`;
        await page.screenshot({ path: path.join(SCREENSHOTS, file), fullPage: true });
      }
    }
    t.is(await page.locator('h1').count(), 1, name);
    t.is(await page.locator('html').getAttribute('lang'), language, name);
    await page.setViewportSize(SMALL_PHONE);
    const tooWide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    t.is(tooWide, 0, `${name} is too wide for a small phone`);
    await page.setViewportSize(size.viewport);
  };
