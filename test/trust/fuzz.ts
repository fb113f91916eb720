/** Drives broken messages through the parser and the verifier, and names everything that is not a refusal in due time. */
import { isDeepStrictEqual } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Refusal } from '#protocol/refusal.ts'
import type { Kind } from './messages.ts'
import { bend, forge, random, twin } from './mutations.ts'

export type Report = {
  readonly seed: number
  /** Messages that nobody signed as they stand. */
  readonly forged: number
  /** Messages that a member signed, though no program of ours would have made them. */
  readonly signed: number
  readonly seconds: number
  /** How often each refusal was given, by its code. */
  readonly refusals: Readonly<Record<string, number>>
  /** Different reasons that were reached, counted by kind, code and detail; and the texts kept for reaching one first. */
  readonly reached: number
  readonly kept: number
  /** ES256 signatures have a twin: refused as a replay where a message counts once, and the same message elsewhere. */
  readonly twins: number
  /** Signed messages in which nothing was wrong after all; what was read from them is what was signed. */
  readonly sound: number
  readonly violations: readonly Violation[]
  readonly slowest: { readonly ms: number; readonly kind: string; readonly how: readonly string[] }
  readonly memory: Memory
}

type Violation = {
  readonly what: string
  readonly kind: string
  readonly how: readonly string[]
  readonly text: string
}

/** Bytes in use after a collection, without the texts kept here: where they began and ended, and the line through them. */
type Memory = {
  readonly samples: number
  readonly first: number
  readonly last: number
  /** Least squares, bytes for each message, leaving out the first fifth of the run, in which everything is compiled. */
  readonly slope: number
  /** What that line rises by over the whole run. */
  readonly growth: number
}

/** No message may take longer; milliseconds. */
export const SLOW = 50

/** Which way the straight line of the memory may go at most over a run of any length: bytes. */
export const GROWTH = 1024 * 1024

/** Texts kept for being the first to reach a reason, and reasons remembered: bounds of what the fuzzer itself holds. */
const KEPT = 32
const REASONS = 1024

/**
 * Breaks `count` messages that nobody signed, and one that a member signed for every five of them, and has each read; one
 * in eight by the reader of another kind. `tell` hears how many are done, at each look at the memory.
 */
export async function fuzz(
  kinds: readonly Kind[],
  count: number,
  seed: number,
  tell: (done: number, bytes: number) => void = () => undefined,
): Promise<Report> {
  const r = random(seed)
  const collect = collector()
  const began = performance.now()
  const refusals: Record<string, number> = {}
  const reached = new Set<string>()
  const kept = new Map<Kind, string[]>(kinds.map(kind => [kind, []]))
  const violations: Violation[] = []
  const samples: [number, number][] = []
  let [twins, sound, signed, own] = [0, 0, 0, 0]
  let slowest: Report['slowest'] = { ms: 0, kind: '', how: [] }
  const violation = (what: string, kind: Kind, how: readonly string[], text: string) => {
    if (violations.length < 20) violations.push({ what, kind: kind.name, how, text: text.slice(0, 2000) })
  }

  /** Has a text read, in due time; gives the claims in it, or the refusal. */
  async function look(kind: Kind, text: string, first: boolean, how: readonly string[]) {
    const { outcome, ms } = await timed(kind, text, first)
    if (ms > slowest.ms) slowest = { ms, kind: kind.name, how }
    if (ms > SLOW) violation(`took ${ms} ms`, kind, how, text)
    if ('claims' in outcome) return outcome
    const { error } = outcome
    if (!(error instanceof Refusal) || error.code === 'fault') {
      violation(`threw ${error instanceof Error ? error.stack : error}`, kind, how, text)
      return outcome
    }
    refusals[error.code] = (refusals[error.code] ?? 0) + 1
    const reason = `${kind.name} ${error.code} ${error.detail?.replace(/[\w-]{20,}|\d+/g, '#')}`
    if (!reached.has(reason) && reached.size < REASONS) {
      reached.add(reason)
      const texts = first ? undefined : kept.get(kind)
      // A copy: a piece of a longer text would keep all of that in memory.
      if (texts !== undefined && texts.length < KEPT && text.isWellFormed() && !isTwin(kind, text)) {
        texts.push(Buffer.from(text).toString())
        own += text.length
      }
    }
    return outcome
  }

  /** Nobody signed it: it is refused. */
  async function forged() {
    const kind = r.pick(kinds)
    const { text, how } = forge(
      r.below(3) === 0 ? r.pick([kind.original, ...(kept.get(kind) ?? [])]) : kind.original,
      r,
      [...kinds.map(({ original }) => original), ...(kept.get(r.pick(kinds)) ?? []).slice(0, 8)],
    )
    if (kinds.some(({ original }) => original === text)) return false
    const reader = r.below(8) === 0 ? r.pick(kinds) : kind
    const outcome = await look(reader, text, false, how)
    if (!isTwin(reader, text)) {
      if ('claims' in outcome) violation('accepted', reader, how, text)
      return true
    }
    twins += 1
    if (reader.once ? !isReplay(outcome) : 'error' in outcome)
      violation('a twin that is not what its original is', reader, how, text)
    return true
  }

  /** A member signed it: it is refused, or is read as what was signed. */
  async function insider() {
    const kind = r.pick(kinds)
    const [header = '', payload = ''] = kind.original.split('.').map(part => Buffer.from(part, 'base64url').toString())
    const part = payload === '' || r.below(4) === 0 ? 'header' : 'claims'
    const { text, how, lawless } = bend(part === 'header' ? header : payload, part, r)
    const claims = part === 'header' ? payload : text
    const token = kind.sign(part === 'header' ? text : header, claims)
    const outcome = await look(kind, token, true, [`signed ${part}`, ...how])
    signed += 1
    if (!('claims' in outcome)) return
    sound += 1
    if (lawless) violation('accepted with a member twice', kind, how, token)
    const signedClaims: unknown = payload === '' ? {} : JSON.parse(claims)
    const said = kind.said?.(signedClaims) ?? signedClaims
    if (!(payload === '' && kind.said === undefined) && !isDeepStrictEqual(outcome.claims, said))
      violation('read as something else than was signed', kind, how, token)
  }

  for (const kind of kinds) await holds(kind)
  let done = 0
  const every = Math.max(400, Math.floor(count / 50))
  while (done < count) {
    if (done % every === 0) {
      const bytes = collect() - own
      samples.push([done, bytes])
      tell(done, bytes)
    }
    if (!(await forged())) continue
    done += 1
    if (done % 5 === 0) await insider()
  }
  samples.push([done, collect() - own])
  return {
    seed,
    forged: done,
    signed,
    seconds: (performance.now() - began) / 1000,
    refusals: Object.fromEntries(Object.entries(refusals).sort(([, a], [, b]) => b - a)),
    reached: reached.size,
    kept: [...kept.values()].flat().length,
    twins,
    sound,
    violations,
    slowest,
    memory: line(samples),
  }
}

/** The original holds, and a second one of it is refused where it counts once: without this, a fuzzer proves nothing. */
async function holds(kind: Kind): Promise<void> {
  await kind.read(kind.original, true)
  if (!kind.once) return
  const { outcome } = await timed(kind, kind.original, false)
  if (!isReplay(outcome)) throw new Error(`a second ${kind.name} is not refused as a replay`)
}

function isReplay(outcome: Outcome): boolean {
  return 'error' in outcome && outcome.error instanceof Refusal && outcome.error.code === 'token.replayed'
}

/** Whether a text is the original but for the other signature that holds for it. */
function isTwin({ original, twinned }: Kind, text: string): boolean {
  if (!twinned) return false
  const at = original.lastIndexOf('.') + 1
  return text.slice(0, at) === original.slice(0, at) && text.slice(at) === twin(original.slice(at))
}

type Outcome = { readonly claims: unknown } | { readonly error: unknown }

/**
 * Has a text read, and how long that took. A time that is too long is looked at again: this process is not alone on its
 * machine, and what is slow by itself is slow each time.
 */
async function timed(kind: Kind, text: string, first: boolean): Promise<{ outcome: Outcome; ms: number }> {
  let best = Number.POSITIVE_INFINITY
  for (let tries = 0; ; tries += 1) {
    const began = performance.now()
    const outcome = await attempt(kind, text, first)
    best = Math.min(best, performance.now() - began)
    if (best <= SLOW / 10 || tries === 4) return { outcome, ms: best }
  }
}

async function attempt(kind: Kind, text: string, first: boolean): Promise<Outcome> {
  try {
    return { claims: await kind.read(text, first) }
  } catch (error) {
    return { error }
  }
}

/** Gives a function that collects all garbage and says how many bytes are then in use, those outside the heap included. */
function collector(): () => number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect !== 'function') throw new Error('the engine gives no collector')
  return () => {
    collect()
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
}

function line(all: readonly (readonly [number, number])[]): Memory {
  const samples = all.slice(Math.floor(all.length / 5))
  const mean = (of: readonly number[]) => of.reduce((sum, each) => sum + each, 0) / of.length
  const [x, y] = [mean(samples.map(([done]) => done)), mean(samples.map(([, bytes]) => bytes))]
  const over = samples.reduce((sum, [done, bytes]) => sum + (done - x) * (bytes - y), 0)
  const under = samples.reduce((sum, [done]) => sum + (done - x) ** 2, 0)
  const slope = over / under
  const [end = 0] = all.at(-1) ?? []
  return { samples: all.length, first: all[0]?.[1] ?? 0, last: all.at(-1)?.[1] ?? 0, slope, growth: slope * end }
}
