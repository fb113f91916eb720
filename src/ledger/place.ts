/** Where a ledger is: the path of a file, or the URL of a PostgreSQL; and how that is shown. */

/** Whether a place is a ledger in PostgreSQL, rather than a file. */
export function isPostgres(place: string): boolean {
  return /^postgres(ql)?:\/\//.test(place)
}

/** A place as it can be shown: a URL without its password. */
export function shown(place: string): string {
  return isPostgres(place) ? place.replace(/^([a-z]+:\/\/[^:@/]*):[^@/]*@/, '$1@') : place
}
