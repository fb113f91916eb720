/** What somebody who has the key of a log makes of a proof in one text, by its description alone (C2SP tlog-proof). */
import { base64, type NoteKey, readSigned, readSize, type Signed } from '#ledger/checkpoint.ts'
import { HASH_LENGTH, provesInclusion } from '#ledger/tree.ts'

const FIRST = 'c2sp.org/tlog-proof@v1'
/** A proof has fewer hashes than this, whatever the size (2^53 leaves). */
const MOST_HASHES = 53

/** A proof taken apart; undefined where it is not in the one form. What is `extra` in it proves nothing, and is not taken. */
function readProof(text: string): { index: number; hashes: Uint8Array[]; note: string } | undefined {
  const end = text.indexOf('\n\n')
  const [first, second = '', ...lines] = text.slice(0, Math.max(0, end)).split('\n')
  const index = second.startsWith('index ') ? readSize(second.slice('index '.length)) : undefined
  if (first !== FIRST || index === undefined || lines.length > MOST_HASHES) return undefined
  const hashes = lines
    .map(base64)
    .filter(each => each?.length === HASH_LENGTH)
    .flatMap(each => each ?? [])
  return hashes.length === lines.length ? { index, hashes, note: text.slice(end + 2) } : undefined
}

/** The checkpoint of this log under which a proof shows the leaf at its place; otherwise what keeps it from that. */
export function provenBy(
  text: string,
  leaf: Uint8Array,
  log: NoteKey,
): (Signed & { readonly index: number }) | 'malformed' | 'foreign' | 'unsigned' | 'unproved' {
  const proof = readProof(text)
  if (proof === undefined) return 'malformed'
  const signed = readSigned(proof.note, log)
  if (typeof signed !== 'object') return signed
  const tree = { start: 0, end: signed.size, root: signed.root }
  return provesInclusion(leaf, proof.index, tree, proof.hashes) ? { ...signed, index: proof.index } : 'unproved'
}
