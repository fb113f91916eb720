/** Cities stay acquainted: each asks the others what keys they have, by what roll they go, and what time it is there. */
import { Refusal, refuse } from '#protocol/refusal.ts'
import type { LiveMembers } from '#trust/members.ts'
import type { City } from './city.ts'
import type { Post } from './post.ts'

/** By how much a peer's clock is ahead of ours, in seconds; measured to about one second. */
export type Drift = { readonly peer: string; readonly seconds: number }

export type Acquaintance = {
  /** Asks one city now, unless it was asked a moment ago; those who ask at once share one question. Never throws. */
  acquaint(city: string): Promise<void>
  /** Asks every member but us. Never throws. */
  everyone(): Promise<void>
  /** What the clocks of those that answered last time said. */
  drifts(): readonly Drift[]
}

/**
 * Seconds between two questions to one city about its keys, however many messages with unknown keys come from it: such a
 * message costs its sender a connection as that city, and us at most this.
 */
const PAUSE = 5

/** Cities asked at once in a round: what each answers is held in memory until it is read. */
const AT_ONCE = 8

/** Seconds by which clocks may differ before we say so: half of what a message may differ by. */
export const DRIFT = 5

type Us = Pick<City, 'id' | 'now' | 'note'> & { readonly post: Post; readonly members: LiveMembers }

export function openAcquaintance({ id, now, note, post, members }: Us): Acquaintance {
  const asked = new Map<string, { readonly at: number; readonly done: Promise<void> }>()
  const clocks = new Map<string, number>()

  const ask = async (city: string) => {
    try {
      // Asked even when the roll has ended: its successor may be there already.
      const peer = members.all.find(member => member.id === city)
      if (peer === undefined) return
      const before = now()
      const { token, date } = await post.introduction(peer, members.roll.number)
      const there = Date.parse(date)
      // The header is in whole seconds, cut off; half a second more is right on average.
      if (!Number.isNaN(there)) clocks.set(city, (there + 500 - (before + now()) / 2) / 1000)
      await members.learn(city, token, now())
    } catch (error) {
      note(error instanceof Refusal ? error : refuse('fault', 'while asking for keys', error), { peer: city, jti: '' })
    }
  }
  const acquaint = (city: string) => {
    const last = asked.get(city)
    // A clock that was set back is no reason never to ask again.
    if (last !== undefined && Math.abs(now() - last.at) < PAUSE * 1000) return last.done
    const done = ask(city)
    asked.set(city, { at: now(), done })
    return done
  }
  return {
    acquaint,
    async everyone() {
      const cities = members.all.map(member => member.id).filter(city => city !== id)
      const next = async (): Promise<void> => {
        const city = cities.pop()
        if (city === undefined) return
        await acquaint(city)
        await next()
      }
      await Promise.all(Array.from({ length: AT_ONCE }, next))
      for (const city of clocks.keys()) if (members.find(city) === undefined) clocks.delete(city)
    },
    drifts: () => [...clocks].map(([peer, seconds]) => ({ peer, seconds })),
  }
}
