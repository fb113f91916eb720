/**
 * One text proves that an entry stands in a log, at which place, and who saw the log then; whoever reads it needs the entry,
 * the keys, and nothing else. Its form is C2SP tlog-proof.
 */
import { readNote } from './checkpoint.ts'
import { type LogStore, treeIn } from './log.ts'
import { inclusionProof } from './tree.ts'

const FIRST = 'c2sp.org/tlog-proof@v1'

/** Checkpoints among which one with cosignatures is looked for. */
const RECENT = 1_000

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
