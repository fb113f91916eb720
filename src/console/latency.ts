/** How long answers take, read from the counts of a histogram: a bound that so many of a hundred stay within. */
import type { Desk } from './desk.ts'

export type Latency = {
  readonly questions: number
  /** Seconds within which 50, 95 and 99 of a hundred were answered; undefined where that is beyond the last bucket. */
  readonly within: Readonly<Record<50 | 95 | 99, number | undefined>>
}

/** The latency of a direction since the gateway started; undefined where nothing was measured. */
export async function latencyOf(seconds: Desk['seconds'], direction: 'in' | 'out'): Promise<Latency | undefined> {
  const { values } = await seconds.get()
  const buckets = values
    .filter(({ labels, metricName }) => labels['direction'] === direction && metricName?.endsWith('_bucket'))
    .map(({ labels, value }) => ({
      le: Number(labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : labels['le']),
      value,
    }))
    .sort((a, b) => a.le - b.le)
  const questions = buckets.at(-1)?.value ?? 0
  if (questions === 0) return undefined
  return { questions, within: { 50: quantile(buckets, 0.5), 95: quantile(buckets, 0.95), 99: quantile(buckets, 0.99) } }
}

/** As Prometheus reads a histogram: even within a bucket, and nothing is said of what lies beyond the last one. */
function quantile(buckets: readonly { readonly le: number; readonly value: number }[], share: number) {
  const wanted = (buckets.at(-1)?.value ?? 0) * share
  const i = buckets.findIndex(({ value }) => value >= wanted)
  const { le = Number.POSITIVE_INFINITY, value = 0 } = buckets[i] ?? {}
  if (!Number.isFinite(le)) return undefined
  const { le: low, value: below } = i === 0 ? { le: 0, value: 0 } : (buckets[i - 1] ?? { le: 0, value: 0 })
  // Arithmetic may not lead out of the bucket by its last bit.
  return value === below ? le : Math.min(le, low + ((le - low) * (wanted - below)) / (value - below))
}
