/** A city is everything that one gateway needs to answer and to ask, put together once by `gateway.ts`. */
import type { Agreements } from '#agreement/agreement.ts'
import type { Authority } from '#agreement/authorise.ts'
import type { MeasureList } from '#agreement/measures.ts'
import type { Ledger } from '#ledger/ledger.ts'
import type { Refusal } from '#protocol/refusal.ts'
import type { CompiledMapping } from '#schema/mapping.ts'
import type { Sources } from '#source/source.ts'
import type { Keys } from '#trust/keys.ts'
import type { Verifier } from '#trust/verify.ts'
import type { Post } from './post.ts'

// What is read of it is what holds now: a city's members and its keys change while it runs.

export type City = Verifier &
  Authority & {
    readonly agreements: Agreements
    readonly sources: Sources
    readonly mapping: CompiledMapping
    /** Every city's own list of measures, by city: ours decides, another's is information. */
    readonly measures: ReadonlyMap<string, MeasureList>
    readonly ledger: Ledger
    /** Ours, of this instant. */
    readonly keys: () => Keys
    readonly post: Post
    /** A fresh UUIDv7 (RFC 9562). */
    readonly newJti: () => string
    /** Tells our own log what went wrong with a peer; never a subject. */
    readonly note: (refusal: Refusal, about: { readonly peer: string; readonly jti: string }) => void
  }
