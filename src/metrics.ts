/** What the gateway counts for its operators, in the Prometheus text format; never a subject, never a matter. */
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

const SECONDS = 'xinqiao_question_seconds'

/** One registry for each gateway, so that two in one process do not mix. */
export function openMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    registry,
    /** All of them as text, added up with those of the other processes of one gateway. */
    text: async (others: readonly object[] = []): Promise<string> =>
      others.length === 0
        ? registry.metrics()
        : AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), ...others]).metrics(),
    /** Adds a gauge that is read whenever the metrics are; while it cannot be, it has no sample, and all others are told. */
    gauge(name: string, help: string, read: () => number | Promise<number>): void {
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          try {
            this.set(await read())
          } catch {
            this.remove()
          }
        },
      })
    },
    /** The samples of `seconds`, added up likewise. */
    taken: async (others: readonly object[] = []) => {
      const all =
        others.length === 0 ? registry : AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), ...others])
      return { values: (await all.getSingleMetric(SECONDS)?.get())?.values ?? [] }
    },
    questions: new Counter({
      name: 'xinqiao_questions_total',
      help: 'Questions by direction, peer and outcome',
      labelNames: ['direction', 'peer', 'outcome'] as const,
      registers,
    }),
    refusals: new Counter({
      name: 'xinqiao_refusals_total',
      help: 'Refusals by code, those told to strangers included',
      labelNames: ['code'] as const,
      registers,
    }),
    seconds: new Histogram({
      name: SECONDS,
      help: 'Time from the last byte of a question to the answer',
      labelNames: ['direction'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    turned: new Counter({
      name: 'xinqiao_connections_refused_total',
      help: 'Connections that were cut off, by what they were beyond',
      labelNames: ['why'] as const,
      registers,
    }),
    ready: new Gauge({
      name: 'xinqiao_ready',
      help: '1 where a readiness check holds, 0 where it does not',
      labelNames: ['check'] as const,
      registers,
    }),
    clock: new Gauge({
      name: 'xinqiao_clock_offset_seconds',
      help: 'By how much the clock of a peer is ahead of ours',
      labelNames: ['peer'] as const,
      registers,
    }),
    until: new Gauge({
      name: 'xinqiao_valid_until_seconds',
      help: 'End of validity, in epoch seconds',
      labelNames: ['what'] as const,
      registers,
    }),
  }
}

export type Metrics = ReturnType<typeof openMetrics>
