/** A file that is replaced is the old one or the new one, whatever happens in between, a loss of power too. */
import { renameSync, writeFileSync } from 'node:fs'

/** Writes `text` beside `path` and renames it there; what a crash leaves beside it, the next one replaces. `mode` as in open(2). */
export function replaceFile(path: string, text: string, mode = 0o666): void {
  writeFileSync(`${path}.new`, text, { mode, flush: true })
  renameSync(`${path}.new`, path)
}
