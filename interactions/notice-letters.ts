import type { Printed } from '../accounts/letters.ts';
import type { Town } from '../accounts/town.ts';
import { letterHead, MARGIN, MM, newPaper, PAGE_WIDTH, paragraph, qrCode, SIZE } from './letter-paper.ts';
import { letterTextsIn } from './texts/letters.ts';

const ADDRESS = /https?:\/\/\S+/;

/**
 * Letters that tell citizens without e-mail what others get by mail, as one PDF to print: each on a page of its own,
 * DIN 5008 form B, tagged for screen readers. An address in the text is beside it as a picture for a phone's camera.
 */
export const noticeLettersPdf = (letters: readonly Printed[], town: Town, date: Date): Promise<Buffer> => {
  const { doc, bytes } = newPaper({ title: letterTextsIn('de').notices, town, date });
  const root = doc.struct('Document');
  doc.addStructure(root);
  letters.forEach((letter, index) => {
    if (index > 0) doc.addPage();
    const section = doc.struct('Sect', { lang: letter.language });
    root.add(section);
    letterHead(doc, section, { town, date, recipient: letter });
    const width = (PAGE_WIDTH - MARGIN.left - MARGIN.right) * MM;
    doc.font('bold').fontSize(SIZE.subject);
    paragraph(doc, section, 'H1', letter.subject, { width });
    doc.font('regular').fontSize(SIZE.text).moveDown(0.7);
    for (const part of letter.text.trim().split(/\n{2,}/)) {
      paragraph(doc, section, 'P', part, { width });
      doc.moveDown(0.6);
    }
    const address = ADDRESS.exec(letter.text)?.[0];
    if (address !== undefined)
      qrCode(doc, section, address, MARGIN.left * MM, doc.y, letterTextsIn(letter.language).letter.qrAddress);
  });
  root.end();
  doc.end();
  return bytes;
};
