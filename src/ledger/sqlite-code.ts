/** What SQLite says of a statement that failed, told from every other error. */

/** The extended result code of an error, https://sqlite.org/rescode.html; undefined for an error that is none of SQLite's. */
export function extendedCode(fault: unknown): number | undefined {
  return fault instanceof Error && 'errcode' in fault && typeof fault.errcode === 'number' ? fault.errcode : undefined
}

/** The same less its extension. */
export function resultCode(fault: unknown): number | undefined {
  const code = extendedCode(fault)
  return code === undefined ? undefined : code & 0xff
}

/** SQLITE_BUSY: another connection has the lock, or needed it for a moment, as for a checkpoint. */
export function isBusy(fault: unknown): boolean {
  return resultCode(fault) === 5
}

/** SQLITE_CONSTRAINT: a row, or a trigger, refused. */
export function isConstraint(fault: unknown): boolean {
  return resultCode(fault) === 19
}
