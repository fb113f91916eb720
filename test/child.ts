/** What a program that a test starts is given of our own environment: how to find others, and what is kept of its files from start to start. */
export function childEnv(environment: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  return { PATH, NODE_COMPILE_CACHE, ...environment }
}
