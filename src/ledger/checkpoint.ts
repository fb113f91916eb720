/**
 * A checkpoint is one short text that says how long a log is and what is in it, signed by the log and by whoever watched it
 * grow; it has one form, and what has another is not read.
 *
 * Notes are those of C2SP signed-note (v1.0.0), checkpoints of C2SP tlog-checkpoint (v1.0.0), what a witness adds is
 * C2SP tlog-cosignature, “Ed25519 signed message”.
 */
import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto'
import { HASH_LENGTH } from './tree.ts'

/** C2SP signed-note, “Signature types”: `0x01` signs the text as it is; `0x04` is a timestamped cosignature of a checkpoint. */
const LOG = 0x01
const COSIGNER = 0x04
type SignatureType = typeof LOG | typeof COSIGNER

/** A name and a key that belong together; a signature line names both by `name` and `id`. */
export type NoteKey = {
  readonly name: string
  /** Eight hexadecimal digits: SHA-256(name || 0x0A || type || public key)[:4]. */
  readonly id: string
  readonly type: SignatureType
  readonly key: KeyObject
}

/** A signature line: `— <name> base64(32-bit key ID || signature)`. */
type SignatureLine = { readonly name: string; readonly id: string; readonly signature: Uint8Array }

/** A note taken apart: the text ends with its newline, and is what is signed. */
type Note = { readonly text: string; readonly signatures: readonly SignatureLine[] }

/** What a log says of itself at one size. */
export type Checkpoint = {
  /** Which log: C2SP tlog-checkpoint, “Note text”, first line. */
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
  readonly extensions: readonly string[]
}

/** Far more than a checkpoint with a cosignature of every member of a federation of hundreds. */
const LONGEST = 262_144
const MOST_SIGNATURES = 1_024

/** C2SP signed-note: a key name is not empty and has neither spaces nor plus. */
const NAME = /^[^\s+\p{C}]{1,255}$/u

/** A control character, and not the newline. */
const CONTROL = /[^\P{Cc}\n]/u

/** The key under which a log signs its checkpoints; of a private key its public half. Throws TypeError for no Ed25519 key. */
export function logKey(origin: string, key: KeyObject): NoteKey {
  return noteKey(origin, LOG, key)
}

/** The key under which a witness cosigns checkpoints of others. Throws TypeError for no Ed25519 key. */
export function cosignerKey(name: string, key: KeyObject): NoteKey {
  return noteKey(name, COSIGNER, key)
}

function noteKey(name: string, type: SignatureType, key: KeyObject): NoteKey {
  const open = key.type === 'private' ? createPublicKey(key) : key
  if (open.asymmetricKeyType !== 'ed25519' || !NAME.test(name)) throw new TypeError('not a name and an Ed25519 key')
  const digest = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), material(type, open)]), 'hex')
  return { name, type, key: open, id: digest.slice(0, 8) }
}

function material(type: SignatureType, key: KeyObject): Buffer {
  return Buffer.concat([Buffer.from([type]), Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')])
}

/** C2SP signed-note, “Verifier keys”: `<name>+<hex key ID>+<base64 of type and public key>`. */
export function verifierKey({ name, id, type, key }: NoteKey): string {
  return `${name}+${id}+${material(type, key).toString('base64')}`
}

/** The key that a verifier key stands for; undefined where it is none of ours, or its ID is not that of its key. */
export function readVerifierKey(text: string): NoteKey | undefined {
  const [, name = '', encoded = ''] = /^([^+]+)\+[0-9a-f]{8}\+(.+)$/.exec(text) ?? []
  const bytes = base64(encoded)
  const type = bytes?.[0]
  if (bytes?.length !== 33 || (type !== LOG && type !== COSIGNER)) return undefined
  try {
    const x = Buffer.from(bytes.subarray(1)).toString('base64url')
    const found = noteKey(name, type, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }))
    return verifierKey(found) === text ? found : undefined
  } catch {
    return undefined
  }
}

/** The text of a checkpoint, as it is signed. */
export function checkpointText({ origin, size, root, extensions }: Checkpoint): string {
  return [origin, String(size), Buffer.from(root).toString('base64'), ...extensions, ''].join('\n')
}

/** A checkpoint as a note with the log's own signature. `key` is the private half of the log's key. */
export function signCheckpoint(checkpoint: Checkpoint, key: KeyObject): string {
  const text = checkpointText(checkpoint)
  return `${text}\n${signatureLine(logKey(checkpoint.origin, key), sign(null, Buffer.from(text), key))}`
}

/**
 * The line with which a witness says that at this time (epoch seconds) this was the largest checkpoint of the log that it had
 * seen, and followed from all before. `key` is the private half of the witness's key.
 */
export function cosign(checkpoint: Checkpoint, name: string, key: KeyObject, seconds: number): string {
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(seconds))
  const signature = sign(null, cosigned(checkpointText(checkpoint), seconds), key)
  return signatureLine(cosignerKey(name, key), Buffer.concat([time, signature]))
}

/** C2SP tlog-cosignature: a header line, a time line, then the whole text of the checkpoint. */
function cosigned(text: string, seconds: number | bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`)
}

function signatureLine({ name, id }: NoteKey, signature: Uint8Array): string {
  return `— ${name} ${Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64')}\n`
}

/** Takes a note apart; undefined where it is not in the one form, or longer than a note may be. Proves nothing. */
export function readNote(note: string): Note | undefined {
  if (note.length > LONGEST || !note.isWellFormed() || CONTROL.test(note)) return undefined
  const end = note.lastIndexOf('\n\n')
  if (end < 1 || !note.endsWith('\n')) return undefined
  const lines = note.slice(end + 2, -1).split('\n')
  if (lines.length > MOST_SIGNATURES) return undefined
  const signatures = lines.map(readSignatureLine)
  return signatures.every(each => each !== undefined) ? { text: note.slice(0, end + 1), signatures } : undefined
}

function readSignatureLine(line: string): SignatureLine | undefined {
  const [dash, name = '', encoded = '', ...rest] = line.split(' ')
  const bytes = base64(encoded)
  if (dash !== '—' || !NAME.test(name) || bytes === undefined || bytes.length < 5 || rest.length > 0) return undefined
  return { name, id: Buffer.from(bytes.subarray(0, 4)).toString('hex'), signature: bytes.subarray(4) }
}

/** The checkpoint that a note's text says; undefined where it is none. Proves nothing. */
export function readCheckpoint(text: string): Checkpoint | undefined {
  const [origin = '', size = '', encoded = '', ...extensions] = text.slice(0, -1).split('\n')
  const root = base64(encoded)
  if (!text.endsWith('\n') || origin === '' || root?.length !== HASH_LENGTH || extensions.includes('')) return undefined
  const number = readSize(size)
  return number === undefined ? undefined : { origin, size: number, root, extensions }
}

/** A size in decimal without leading zeros; undefined for anything else, and beyond 2^53, where numbers are no longer exact. */
export function readSize(text: string): number | undefined {
  const size = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(size) ? size : undefined
}

/** Bytes in the one base64 (RFC 4648 section 4) that stands for them; undefined for another text. */
export function base64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/**
 * Whether a note is signed with this key: false where one of the lines that name it does not verify, undefined where none
 * names it (C2SP signed-note, “Signatures”: unknown keys are ignored, one bad signature of a known key spoils the note).
 */
export function isSigned({ text, signatures }: Note, key: NoteKey): boolean | undefined {
  const ours = signatures.filter(({ name, id }) => name === key.name && id === key.id)
  return ours.length === 0 ? undefined : ours.every(({ signature }) => proves(text, signature, key))
}

function proves(text: string, signature: Uint8Array, { type, key }: NoteKey): boolean {
  if (type === LOG) return signature.length === 64 && verify(null, Buffer.from(text), key, signature)
  if (signature.length !== 72 || readCheckpoint(text) === undefined) return false
  return verify(null, cosigned(text, timeOf(signature)), key, signature.subarray(8))
}

/** When a witness cosigned, in epoch seconds: the first eight bytes of its signature. */
function timeOf(signature: Uint8Array): bigint {
  return Buffer.from(signature).readBigUInt64BE(0)
}

/** A checkpoint that its log signed: what it says, and the note that proves it, with the cosignatures it has. */
export type Signed = Checkpoint & { readonly note: string }

/** Reads a note as a checkpoint that was signed with this key. Says what keeps it from being one. */
export function readSigned(note: string, key: NoteKey): Signed | 'malformed' | 'foreign' | 'unsigned' {
  const read = readNote(note)
  const checkpoint = read && readCheckpoint(read.text)
  if (read === undefined || checkpoint === undefined) return 'malformed'
  if (checkpoint.origin !== key.name) return 'foreign'
  return isSigned(read, key) === true ? { ...checkpoint, note } : 'unsigned'
}

/**
 * Reads a note that we keep ourselves. Its first line is the signature of the log, and nothing that comes behind it can make the
 * checkpoint another: what is no signature line, a second one of a key, and what is too much is left out of the note.
 */
export function readOwn(note: string, key: NoteKey): Signed | 'malformed' | 'foreign' | 'unsigned' {
  // A checkpoint has no empty line: the first one ends it, whatever was written behind.
  const signatures = note.indexOf('\n\n') + 2
  const end = note.indexOf('\n', signatures) + 1
  const signed = readSigned(note.slice(0, end), key)
  if (typeof signed !== 'object') return signed
  return { ...signed, note: withLines(signed.note, note.slice(end).split(/(?<=\n)/)) }
}

/** The note with those of these signature lines that are the first of their key in it, as long as it is still read as a note. */
export function withLines(note: string, lines: readonly string[]): string {
  const there = new Set(readNote(note)?.signatures.map(keyOf))
  let grown = note
  for (const line of lines) {
    const read = line.endsWith('\n') ? readSignatureLine(line.slice(0, -1)) : undefined
    if (read === undefined || there.has(keyOf(read)) || CONTROL.test(line) || !line.isWellFormed()) continue
    if (there.size >= MOST_SIGNATURES || grown.length + line.length > LONGEST) break
    there.add(keyOf(read))
    grown += line
  }
  return grown
}

/** The note of a checkpoint with one signature of its log and nothing else: what may be kept of it, whoever showed it. */
export function alone({ note }: Signed, { name, id }: NoteKey): string {
  const read = readNote(note)
  const lines = note.slice((read?.text.length ?? 0) + 1).split('\n')
  const ours = lines[read?.signatures.findIndex(each => each.name === name && each.id === id) ?? 0]
  return `${read?.text}\n${ours}\n`
}

function keyOf({ name, id }: Pick<SignatureLine, 'name' | 'id'>): string {
  return `${name} ${id}`
}

/** The cosignatures of a checkpoint among these lines: of each of these keys the first line that names it, if it proves. */
export function cosignaturesIn(lines: string, { text }: { readonly text: string }, keys: readonly NoteKey[]): string[] {
  const wanted = new Map(keys.map(key => [keyOf(key), key]))
  return lines.split('\n').flatMap(line => {
    const read = readSignatureLine(line)
    const key = read && wanted.get(keyOf(read))
    if (read === undefined || key === undefined) return []
    wanted.delete(keyOf(key))
    return key.type === COSIGNER && proves(text, read.signature, key) ? [`${line}\n`] : []
  })
}
