/** What keeps the sandbox from starting, in one line with the way out; anything else that is thrown is a bug. */
export class Obstacle extends Error {
  override readonly name = 'Obstacle';
}

/** The system's error code of something thrown, like ENOENT. */
export const errorCode = (error: unknown): string | undefined => {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
};
