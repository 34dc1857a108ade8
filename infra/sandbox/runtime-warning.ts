/** oidc-provider warns of every Node that has not reached its LTS phase; nobody who starts a sandbox or a mock can change that. */
export const withoutRuntimeWarning = async <T>(load: () => Promise<T>): Promise<T> => {
  const { warn } = console;
  console.warn = (...lines: unknown[]) => {
    if (!String(lines[0]).includes('Unsupported runtime')) warn(...lines);
  };
  try {
    return await load();
  } finally {
    console.warn = warn;
  }
};
