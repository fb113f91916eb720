import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Checkpoint,
  checkpointText,
  cosign,
  cosignaturesIn,
  cosignerKey,
  isSigned,
  logKey,
  readCheckpoint,
  readNote,
  readSigned,
  readVerifierKey,
  signCheckpoint,
  verifierKey,
} from '#ledger/checkpoint.ts'
import { emptyRoot } from '#ledger/tree.ts'

const log = generateKeyPairSync('ed25519')
const witness = generateKeyPairSync('ed25519')
const origin = 'xinqiao/jiangyin/0198c5e0-0000-4000-8000-000000000000'
const checkpoint: Checkpoint = { origin, size: 7, root: emptyRoot, extensions: [] }
const note = signCheckpoint(checkpoint, log.privateKey)
const vkey = (text: string) => {
  const key = readVerifierKey(text)
  if (key === undefined) throw new Error(`not a verifier key: ${text}`)
  return key
}

describe('a signed note', () => {
  it('of the specification verifies (C2SP signed-note, “Verifier keys”, “Example”)', () => {
    const key = vkey('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k')
    const example = readNote(
      'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
    )
    expect(example && isSigned(example, key)).toBe(true)
    expect(example && isSigned({ ...example, text: 'This is another message.\n' }, key)).toBe(false)
    expect(verifierKey(key)).toBe('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k')
  })

  it('has one text: each other text of the same meaning is not read', () => {
    expect(readNote(note)).toBeDefined()
    for (const other of [
      note.slice(0, -1),
      `${note}\n`,
      note.replaceAll('\n', '\r\n'),
      note.replace('— ', '- '),
      note.replace('— ', '—  '),
      note.replace('\n\n', '\n'),
      note.replace(/=+\n$/, '\n'),
      note.replace('7', '\t7'),
      `${note}${'x'.repeat(300_000)}\n`,
      `${note}— \ud800 AAAAAAAA\n`,
      '',
      '\n\n',
    ]) {
      expect(readNote(other)).toBeUndefined()
    }
  })

  it('is never read in two ways, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('\n', '— ', 'a', ' ', '+', '=', 'AAAAAAAA', '0') }), text => {
        const read = readNote(text)
        if (read !== undefined) expect(text.startsWith(`${read.text}\n— `)).toBe(true)
      }),
    )
  })

  it('ignores a signature of an unknown key, and is spoilt by a bad one of a known key', () => {
    const read = readNote(note)
    const stranger = logKey(origin, witness.publicKey)
    expect(read && isSigned(read, stranger)).toBeUndefined()
    const bad = note.replace(/(.)(=*\n)$/, (_, last: string, end: string) => `${last === 'A' ? 'Q' : 'A'}${end}`)
    const doubled = readNote(note + bad.slice(bad.lastIndexOf('— ')))
    expect(doubled && isSigned(doubled, logKey(origin, log.publicKey))).toBe(false)
  })
})

describe('a verifier key', () => {
  it('is read only where its ID is that of its key and its type is one of ours', () => {
    const text = verifierKey(logKey(origin, log.publicKey))
    expect(verifierKey(vkey(text))).toBe(text)
    const [name, , material] = text.split('+', 3)
    for (const other of ['', 'a+b', `${name}+00000000+${material}`, `${text} `, `x${text}`, text.slice(0, -4)]) {
      expect(readVerifierKey(other)).toBeUndefined()
    }
  })

  it('of a log and of a witness have different IDs even for one key and name', () => {
    expect(logKey('a', log.publicKey).id).not.toBe(cosignerKey('a', log.publicKey).id)
  })

  it('takes no key that is not Ed25519, and no name with a space or a plus', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(() => logKey('a', publicKey)).toThrow(TypeError)
    expect(() => logKey('a b', log.publicKey)).toThrow(TypeError)
    expect(() => logKey('a+b', log.publicKey)).toThrow(TypeError)
  })
})

describe('a checkpoint', () => {
  it('comes back as it was signed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.array(fc.stringMatching(/^[a-z ]{1,20}$/), { maxLength: 3 }),
        (size, root, extensions) => {
          const signed = readSigned(
            signCheckpoint({ origin, size, root, extensions }, log.privateKey),
            logKey(origin, log.publicKey),
          )
          expect(signed).toMatchObject({ origin, size, extensions })
          expect(typeof signed === 'object' && Buffer.compare(signed.root, root)).toBe(0)
        },
      ),
    )
  })

  it('is the text of the specification (C2SP tlog-checkpoint)', () => {
    const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'
    const read = readCheckpoint(text)
    expect(read).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20_852_163, extensions: [] })
    expect(read && checkpointText(read)).toBe(text)
  })

  it('is read in its one form alone', () => {
    const text = checkpointText(checkpoint)
    const [, , root = ''] = text.split('\n')
    for (const other of [
      text.replace('\n7\n', '\n07\n'),
      text.replace('\n7\n', '\n-7\n'),
      text.replace('\n7\n', '\n7.0\n'),
      text.replace('\n7\n', '\n9007199254740992\n'),
      text.replace(root, root.slice(0, -4)),
      text.replace(root, root.replace('=', '')),
      text.slice(0, -1),
      `${text}\n`,
      `\n${text}`,
      text.replace(origin, ''),
    ]) {
      expect(readCheckpoint(other)).toBeUndefined()
    }
  })

  it('counts for nobody when it is of another log, of another key, or changed', () => {
    const key = logKey(origin, log.publicKey)
    expect(readSigned(note, logKey('xinqiao/huizhou/1', log.publicKey))).toBe('foreign')
    expect(readSigned(note, logKey(origin, witness.publicKey))).toBe('unsigned')
    expect(readSigned(note.replace('\n7\n', '\n8\n'), key)).toBe('unsigned')
    expect(readSigned(note.slice(1), key)).toBe('foreign')
    expect(readSigned('x', key)).toBe('malformed')
  })
})

describe('a cosignature', () => {
  const line = cosign(checkpoint, 'xinqiao/huizhou/witness', witness.privateKey, 1_800_000_000)
  const key = cosignerKey('xinqiao/huizhou/witness', witness.publicKey)
  const read = { text: checkpointText(checkpoint) }

  it('is one of this checkpoint at this time, by this witness', () => {
    expect(cosignaturesIn(line, read, [key])).toEqual([line])
    expect(cosignaturesIn(line, { text: checkpointText({ ...checkpoint, size: 8 }) }, [key])).toEqual([])
    expect(cosignaturesIn(line, read, [cosignerKey('xinqiao/huizhou/witness', log.publicKey)])).toEqual([])
    const bytes = Buffer.from(line.split(' ')[2] ?? '', 'base64')
    bytes[11] = (bytes[11] ?? 0) ^ 1
    expect(cosignaturesIn(`— ${key.name} ${bytes.toString('base64')}\n`, read, [key])).toEqual([])
  })

  it('is picked out of whatever else an answer holds', () => {
    expect(cosignaturesIn(`nonsense\n${line}— a b\n\n${line}`, read, [key])).toEqual([line])
    expect(cosignaturesIn(note, read, [logKey(origin, log.publicKey)])).toEqual([])
  })

  it('stands beside the signature of the log in one note', () => {
    const both = readNote(note + line)
    expect(both && isSigned(both, key)).toBe(true)
    expect(both && isSigned(both, logKey(origin, log.publicKey))).toBe(true)
  })
})
