/**
 * One text proves that an entry stands in a log, at which place, and who saw the log then; whoever reads it needs the entry,
 * the keys, and nothing else. Its form is C2SP tlog-proof.
 */
import { base64, type NoteKey, readNote, readSigned, readSize, type Signed } from './checkpoint.ts'
import { type LogStore, treeIn } from './log.ts'
import { HASH_LENGTH, inclusionProof, provesInclusion } from './tree.ts'

const FIRST = 'c2sp.org/tlog-proof@v1'

/** Checkpoints among which one with cosignatures is looked for. */
const RECENT = 1_000
/** A proof has fewer hashes than this, whatever the size (2^53 leaves). */
const MOST_HASHES = 53

/**
 * The proof of an entry, against the newest checkpoint that somebody cosigned, or where none covers it yet, the newest. Rejects
 * with RangeError where no checkpoint covers it, and with `ledger.unavailable`.
 */
export async function proofOf(store: LogStore, index: number): Promise<string> {
  const covering = (await store.checkpoints(RECENT)).filter(({ size }) => size > index)
  const checkpoint = covering.find(({ note }) => (readNote(note)?.signatures.length ?? 0) > 1) ?? covering[0]
  if (checkpoint === undefined) throw new RangeError('no checkpoint covers this entry')
  const hashes = await inclusionProof(index, checkpoint.size, treeIn(store))
  const lines = hashes.map(each => `${Buffer.from(each).toString('base64')}\n`).join('')
  return `${FIRST}\nindex ${index}\n${lines}\n${checkpoint.note}`
}

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
