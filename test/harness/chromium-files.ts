/** Unpacks Chromium into the folder named by TMPDIR; a process of its own, as the package asks for the system's one. */
import chromium from '@sparticuz/chromium';

await chromium.executablePath();
