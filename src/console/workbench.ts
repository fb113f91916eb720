/** What the console needs from the gateway's start to its end: who may sign in, and what was counted and watched since. */
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Ledger } from '#ledger/ledger.ts'
import type { Asking, Desk } from './desk.ts'
import { openKept } from './kept.ts'
import { openLookout, type Watched } from './lookout.ts'
import { openMandates } from './mandates.ts'
import { openStaffing, type StaffingOptions } from './staff.ts'

export type Workbench = AsyncDisposable & Pick<Desk, 'staff' | 'lookout' | 'config'> & Pick<Asking, 'mandates' | 'kept'>

type Options = Pick<StaffingOptions, 'data' | 'city' | 'now' | 'origin' | 'provider'> & {
  readonly config: string
  /** What counts as unusual use, until the lookout is told otherwise. */
  readonly unusual: Watched
  readonly ledger: Ledger
  readonly registry: Registry
  readonly log: Logger
}

/**
 * Opens the store of staff in the folder `data` and begins to follow the ledger. Throws ConfigurationError where the
 * store or the provider's secret is not sound. It goes before the ledger does.
 */
export function openWorkbench({ config, unusual, ledger, registry, log, ...options }: Options): Workbench {
  const staff = openStaffing({ ...options, ledger, log })
  const lookout = openLookout(ledger, unusual, registry, log, options.now)
  return {
    staff,
    lookout,
    config,
    mandates: openMandates(options.data),
    kept: openKept(),
    async [Symbol.asyncDispose]() {
      await lookout[Symbol.asyncDispose]()
      staff[Symbol.dispose]()
    },
  }
}
