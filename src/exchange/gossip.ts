/**
 * No log can show two cities two histories for longer than a round: each tells the others what it has seen of every log, and
 * what does not fit together is found, named, and stands until an operator has acknowledged it.
 */
import { setTimeout } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { alone, cosignaturesIn, cosignerKey, readNote, readSigned, readSize, type Signed } from '#ledger/checkpoint.ts'
import { type Contradiction, type Log, type LogStore, witnessName } from '#ledger/log.ts'
import { provesConsistency } from '#ledger/tree.ts'
import { readJson } from '#protocol/json.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import type { Member, Members } from '#trust/members.ts'
import type { Post } from './post.ts'
import { acknowledge, addRequest, forked, type Known, logOf, readHashes, same, type Witness } from './witness.ts'

/** Where a city serves what it has seen of every log. */
export const SEEN = '/witness/logs'
/** Where a city takes checkpoints to cosign (C2SP tlog-witness, with this as the submission prefix). */
export const WITNESS = '/witness'
/** Where a city serves its own log (C2SP tlog-tiles, with this as the prefix). */
export const LOG = '/log'

const Note = z.string().max(262_144)
/** What `SEEN` answers: the newest checkpoint of the city's own log, and the last one that it cosigned of each other. */
const Seen = z.strictObject({ own: Note.nullable(), others: z.array(Note).max(1_000) })

export type Gossip = {
  /**
   * Sends our newest checkpoint to every peer, keeps the cosignatures, and holds what each peer has seen of every log against
   * what we have seen of it. Never throws.
   */
  round(): Promise<void>
  /** The same for one city's log alone, at once. Never throws. */
  look(city: string): Promise<void>
  /**
   * Asks every peer what it last saw of our log, and shows that ours goes on from there. Throws `ledger.contradicted` where it
   * does not; a peer that cannot be reached says nothing, and is asked again in every round.
   */
  continues(): Promise<void>
  /** Why our own log must not go on, in words: it is not the one of a checkpoint of ours that somebody has shown us. */
  againstUs(): Promise<string | undefined>
  /** Records a contradiction and, where it is new, tells of it. */
  contradicted(found: Omit<Contradiction, 'at'>): Promise<void>
  contradictions(): Promise<readonly Contradiction[]>
  /**
   * Takes note that somebody knows of a city's contradictions, of the first `seen` of them and of no later one; gives how many of
   * these stood. A log that was replaced is from now on known by what the city publishes. Throws `request.form` for our own as
   * long as it holds: what we said cannot be unsaid.
   */
  acknowledge(city: string, seen: number, by: string): Promise<number>
}

export type GossipOptions = {
  readonly us: string
  readonly store: LogStore
  readonly log: Log
  readonly witness: Witness
  readonly members: Pick<Members, 'all'>
  readonly post: Pick<Post, 'fetch'>
  /** Asks a city what it has to say of itself. */
  readonly acquaint: (city: string) => Promise<void>
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Hears of every new contradiction. */
  readonly alarm: (found: Contradiction) => void
  /** Tells our own log what went wrong with a peer. */
  readonly note: (refusal: Refusal, peer: string) => void
}

/** The longest that the start waits for peers; milliseconds. Who answers later is heard in the next round. */
const START = 3_000
/** Peers talked to at once. */
const AT_ONCE = 8
/** In so many rounds a log that shows itself is asked for one proof; after the last it counts as one that has none. */
const PATIENCE = 3
/** Checkpoints that were proved to fit, remembered so that nobody is asked twice. */
const PROVED = 4_096

/** A note about a log, who showed it, and whether as the newest of its own. */
type Shown = { readonly by: string; readonly note: string; readonly isOwn: boolean }
/** A checkpoint that a log signed and gave no proof of, and what that is in the end. */
type Unproved = { readonly shown: Shown; readonly rewritten: Omit<Contradiction, 'at'> }
/** The same, and in how many rounds that was so. */
type Owed = Pick<Unproved, 'shown'> & { readonly rounds: number }

export function openGossip(options: GossipOptions): Gossip {
  const { us, store, log, witness, members, post, acquaint, now, alarm, note } = options
  /** What each peer is known to have cosigned last of our log. */
  const acknowledged = new Map<string, number>()
  const proved = new LRUCache<string, true>({ max: PROVED })
  /** By city, and by their notes, the checkpoints that its log has to prove yet. */
  const owed = new Map<string, ReadonlyMap<string, Owed>>()
  const peers = () => members.all.filter(({ id }) => id !== us)
  const memberOf = (city: string) => members.all.find(({ id }) => id === city)

  const contradicted = async (found: Omit<Contradiction, 'at'>) => {
    const contradiction = { ...found, at: new Date(now()).toISOString() }
    if (await store.contradict(contradiction)) alarm(contradiction)
  }
  const tell = (error: unknown, peer: string): undefined => {
    note(error instanceof Refusal ? error : refuse('fault', 'while comparing logs', error), peer)
  }
  const quietly = async (peer: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      tell(error, peer)
    }
  }
  const withEach = async (work: (peer: Member) => Promise<void>) => {
    const waiting = peers()
    const next = async (): Promise<void> => {
      const peer = waiting.pop()
      if (peer === undefined) return
      await quietly(peer.id, () => work(peer))
      await next()
    }
    await Promise.all(Array.from({ length: AT_ONCE }, next))
  }

  /** Brings our newest checkpoint to a peer, with the proof from the one that it has; C2SP tlog-witness, `add-checkpoint`. */
  const push = async (peer: Member) => {
    const newest = await log.newest()
    if (peer.log === undefined) await acquaint(peer.id)
    const key = logOf(memberOf(peer.id) ?? peer)
    if (newest === undefined || key === undefined || acknowledged.get(peer.id) === newest.size) return
    const send = async (old: number) => {
      const proof = await log.consistency(old, newest.size)
      const body = addRequest(old, proof, alone(newest, log.keys.log))
      return await post.fetch(peer, `${WITNESS}/add-checkpoint`, body)
    }
    let old = acknowledged.get(peer.id) ?? 0
    let reply = await send(old)
    if (reply.status === 409) {
      const size = readSize(reply.text.trimEnd())
      // Larger than ours, or no size: what the peer has seen of us is looked at below, with our signature on it.
      if (size === undefined || size > newest.size) return
      old = size
      reply = await send(old)
    }
    if (reply.status !== 200) throw refuse('peer.answer', `add-checkpoint: status ${reply.status} ${reply.text.trim()}`)
    const text = readNote(newest.note)?.text ?? ''
    const lines = cosignaturesIn(reply.text, { text }, [cosignerKey(witnessName(peer.id), key.key)])
    if (lines.length === 0) throw refuse('peer.answer', 'add-checkpoint: no cosignature')
    await log.cosigned(newest.size, lines)
    acknowledged.set(peer.id, newest.size)
  }
  const pull = async (peer: Member): Promise<Shown[]> => {
    const { status, text } = await post.fetch(peer, SEEN)
    const seen = Seen.safeParse(status === 200 ? readJson(text) : undefined)
    if (!seen.success) throw refuse('peer.answer', `${SEEN}: status ${status}`)
    const { own, others } = seen.data
    // Of each log one note: who shows more wants to have proofs asked for.
    const byLog = new Map(others.map(each => [cityIn(each), each]))
    return [
      ...(own === null ? [] : [{ by: peer.id, note: own, isOwn: true }]),
      ...byLog.values().map(each => ({ by: peer.id, note: each, isOwn: false })),
    ]
  }

  /** What was shown of our own log has to be what our log was. */
  const compareOurs = async (shown: readonly Shown[]): Promise<void> => {
    for (const { by, note } of shown) {
      const signed = readSigned(note, log.keys.log)
      if (typeof signed !== 'object') continue
      const held = alone(signed, log.keys.log)
      let newest = await log.newest()
      // A backup may hold entries that it has no checkpoint of yet.
      if ((newest?.size ?? 0) < signed.size && (await againstUs()) === undefined) newest = await log.integrate()
      if (newest === undefined || newest.size < signed.size) {
        const detail = `${by} cosigned ${signed.size} entries of our log, and we have ${newest?.size ?? 0}: an old copy`
        await contradicted({ city: us, name: 'shortened', held, found: newest?.note ?? '', detail })
      } else if (!same(await log.rootAt(signed.size), signed.root)) {
        const detail = `the first ${signed.size} entries of our log are not those that ${by} cosigned`
        const name = newest.size === signed.size ? 'forked' : 'rewritten'
        await contradicted({ city: us, name, held, found: newest.note, detail })
      }
    }
  }

  const againstUs = async () => {
    for (const { name, held, detail } of await store.contradictions(us)) {
      const signed = readSigned(held, log.keys.log)
      if (typeof signed !== 'object') continue
      const newest = await log.newest()
      const isOurs = signed.size <= (newest?.size ?? 0) && same(await log.rootAt(signed.size), signed.root)
      if (!isOurs) return `${name}: ${detail}`
    }
    return undefined
  }

  /** Whether a log itself shows that its later checkpoint grew out of its earlier one. */
  const asks = async (member: Member, earlier: Signed, later: Signed): Promise<'proved' | 'disproved' | 'unproved'> => {
    if (earlier.size === 0) return 'proved'
    const path = `${LOG}/proof/consistency?from=${earlier.size}&to=${later.size}`
    const reply = await post.fetch(member, path).catch(error => tell(error, member.id))
    // Only a whole proof is the word of the log: anything else, 404 too, may be that of a proxy before it, or of a start.
    const isWhole = reply?.status === 200 && reply.text.endsWith('\n')
    const proof = isWhole ? readHashes(reply.text.split('\n').slice(0, -1)) : undefined
    if (proof === undefined) return 'unproved'
    const tree = { start: 0, end: earlier.size, root: earlier.root }
    return provesConsistency(tree, later, proof) ? 'proved' : 'disproved'
  }
  /** Holds a signed checkpoint of another log against the last one that we cosigned; gives why no proof came, if none did. */
  const compareWith = async (held: Signed, signed: Signed, { by, isOwn }: Shown, member: Member) => {
    const { id: city } = member
    const found = signed.note
    if (signed.size === held.size) {
      if (!same(signed.root, held.root)) await contradicted(forked(city, held, signed))
      return undefined
    }
    if (isOwn && signed.size < held.size) {
      const detail = `its newest checkpoint is of ${signed.size} entries, and we cosigned one of ${held.size}`
      await contradicted({ city, name: 'shortened', held: held.note, found, detail })
      return undefined
    }
    const name = `${signed.origin} ${signed.size} ${Buffer.from(signed.root).toString('base64')}`
    if (proved.has(name)) return undefined
    const [earlier, later] = signed.size < held.size ? [signed, held] : [held, signed]
    const shower = by === city ? 'it shows us itself' : `${by} has seen`
    const detail = `no proof that size ${later.size} grew out of size ${earlier.size}, where ${shower} one of ${signed.size}`
    const rewritten = { city, name: 'rewritten', held: held.note, found, detail } as const
    const outcome = await asks(member, earlier, later)
    if (outcome === 'proved') proved.set(name, true)
    if (outcome === 'disproved') await contradicted(rewritten)
    return outcome === 'unproved' ? rewritten : undefined
  }
  /** Holds what was shown of another log against what we know of it; gives what it had to prove and did not. */
  const compareOther = async (member: Member, held: Known, shown: readonly Shown[]): Promise<Unproved[]> => {
    const { id: city, log: published } = member
    const { checkpoint, noteKey } = held
    const replaced = async (found: string, detail: string) => {
      // Asked again: an operator may have acknowledged the other log while this round was under way.
      const known = (await witness.known()).get(city)
      if (known?.key === held.key) await contradicted({ city, name: 'replaced', held: held.key, found, detail })
    }
    if (published !== undefined && (published.origin !== held.origin || published.key !== held.key)) {
      const what = published.origin === held.origin ? 'key' : 'log'
      await replaced(published.key, `it publishes another ${what} than the one that we know it by`)
    }
    const said = new Map<string, { readonly signed: Signed; readonly shown: Shown }>()
    for (const each of shown) {
      const signed = readSigned(each.note, noteKey)
      if (typeof signed === 'object') {
        const text = alone(signed, noteKey)
        // The same as its own newest says more than as what somebody has seen.
        if (each.isOwn || !said.has(text)) said.set(text, { signed: { ...signed, note: text }, shown: each })
      } else if (each.isOwn) {
        await replaced(each.note, `its newest checkpoint is not of the log and key that we know it by: ${signed}`)
      }
    }
    const unproved: Unproved[] = []
    const compared = async ({ signed, shown: each }: { readonly signed: Signed; readonly shown: Shown }) => {
      const rewritten = checkpoint && (await compareWith(checkpoint, signed, each, member))
      if (rewritten !== undefined) unproved.push({ shown: { ...each, note: signed.note, isOwn: false }, rewritten })
    }
    // All at once: a log that is slow to prove takes the time of one.
    await Promise.all(said.values().map(each => quietly(city, () => compared(each))))
    return unproved
  }
  /**
   * Once in a round, the same with all that a log has owed us from earlier ones, whatever it shows by now. A log that cannot be
   * reached may yet prove it; one that shows itself in so many rounds, and does not, has had its time.
   */
  const compareAgain = async (member: Member, held: Known, shown: readonly Shown[]): Promise<void> => {
    if (!shown.some(({ isOwn }) => isOwn)) {
      await compareOther(member, held, shown)
      return
    }
    const before = owed.get(member.id) ?? new Map<string, Owed>()
    const all = [...shown, ...before.values().map(each => each.shown)]
    const left = new Map<string, Owed>()
    for (const { shown: each, rewritten } of await compareOther(member, held, all)) {
      const rounds = (before.get(each.note)?.rounds ?? 0) + 1
      if (rounds < PATIENCE) left.set(each.note, { shown: each, rounds })
      else await contradicted(rewritten)
    }
    owed.set(member.id, left)
  }

  /** By the city whose log it is about. */
  const sorted = (shown: readonly Shown[]) =>
    Map.groupBy(shown, ({ by, isOwn, note: text }) => (isOwn ? by : cityIn(text)))
  const compare = async (before: ReadonlyMap<string, Known>, shown: readonly Shown[]) => {
    const byCity = sorted(shown)
    await quietly(us, () => compareOurs(byCity.get(us) ?? []))
    await withEach(async member => {
      const held = before.get(member.id) ?? (await witness.meet(member))
      if (held !== undefined) await compareAgain(member, held, byCity.get(member.id) ?? [])
    })
  }
  const round = async () => {
    // As of before anybody is asked: an answer that is older than what we have is then no accident.
    const before = await witness.known()
    const shown: Shown[] = []
    await withEach(async peer => {
      await push(peer).finally(async () => shown.push(...(await pull(peer))))
    })
    await compare(before, shown)
  }

  const looking = new Set<string>()
  return {
    round: () => quietly(us, round),
    look: async city => {
      if (looking.has(city)) return
      looking.add(city)
      await quietly(city, async () => {
        const member = memberOf(city)
        const held = (await witness.known()).get(city)
        if (member !== undefined && held !== undefined) {
          const own = (await pull(member)).filter(({ isOwn }) => isOwn)
          await compareOther(member, held, own)
        }
      })
      looking.delete(city)
    },
    async continues() {
      const shown: Shown[] = []
      const asked = withEach(async peer => {
        shown.push(...(await pull(peer)))
      })
      await Promise.race([asked, setTimeout(START, undefined, { ref: false })])
      await compareOurs(sorted(shown).get(us) ?? [])
      const against = await againstUs()
      if (against !== undefined) throw refuse('ledger.contradicted', against)
    },
    againstUs,
    contradicted,
    contradictions: store.contradictions,
    async acknowledge(city, seen, by) {
      const against = city === us ? await againstUs() : undefined
      if (against !== undefined) {
        throw refuse('request.form', `only the log that peers have seen puts this right: ${against}`)
      }
      await acquaint(city)
      return await acknowledge({ store, by, at: new Date(now()).toISOString() }, city, seen, memberOf(city))
    },
  }
}

/** The city that a note says its log is of, by its origin; what it says is proved where it is compared. */
function cityIn(note: string): string {
  return note.split('\n', 1)[0]?.split('/')[1] ?? ''
}
