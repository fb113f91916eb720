/** Published vectors stand beside the checkout and are never part of it; where they are absent a suite says so by its name. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'vitest'

const folder = join(import.meta.dirname, '..', '..', 'shared', 'vectors')

/** Runs the suite over a file or folder of vectors; skipped, with the reason in its name, where it is not there. */
export function describeVectors(path: string, name: string, suite: (path: string) => void): void {
  const full = join(folder, path)
  if (existsSync(full)) describe(name, () => suite(full))
  else describe.skip(`${name} (skipped: no published vectors at ../shared/vectors/${path})`, () => {})
}
