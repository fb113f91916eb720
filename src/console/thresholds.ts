/** What counts as unusual is the city's own decision, in one file; where there is none the shipped thresholds hold, and that is said. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Fault, readForm } from '#protocol/fault.ts'

export const rules = ['walk', 'volume', 'hours', 'matter', 'same-matter'] as const
export type Rule = (typeof rules)[number]

const count = z.int().min(1).max(1_000_000)
const share = z.number().min(0.01).max(1)
const Hour = z.int().min(0).max(24)

/** Walking through codes. Both periods are those of the clock in Asia/Shanghai, not sliding ones. */
const Walk = z.strictObject({
  /** Codes in an hour, and in a day, that the asker had never asked about. Fewer are not looked at. */
  perHour: count.default(40),
  perDay: count.default(200),
  /** Two codes of one registering division stand next to each other when their organisation codes differ by at most this. */
  distance: count.default(40),
  /** Codes in one row, each next to the one before, that make a walk, whatever is asked about besides. */
  row: z.int().min(2).max(1_000).default(12),
  /** The share of subjects of which nothing at all was found. */
  nothing: share.default(0.9),
})

/** Far beyond its habit: the same hours of its own last days. */
const Volume = z.strictObject({
  /** Days that are looked back; only those of the same kind (working or not) are compared. */
  days: z.int().min(5).max(60).default(14),
  /** Days that the comparison needs; before, only `most` holds. */
  learning: z.int().min(1).max(60).default(4),
  /** Subjects in an hour that are never too many. */
  least: count.default(60),
  /** Too many: beyond so many times the median, and beyond the median by so many times the usual deviation (MAD × 1.4826). */
  times: z.number().min(1).max(100).default(4),
  deviations: z.number().min(1).max(100).default(6),
  /** Subjects in an hour that are too many whatever the habit. */
  most: count.default(2_000),
})

/** At night and on days that are no working days. */
const Hours = z.strictObject({
  /** Office hours in Asia/Shanghai: from this full hour, until before that one. */
  from: Hour.default(7),
  until: Hour.default(21),
  /** Subjects outside them within 24 hours that are never too many. */
  least: count.default(20),
  /** The share, of the last seven days, that is asked outside them. */
  share: share.default(0.3),
  /** Weekdays that are no working days, and Saturdays and Sundays that are: by the State Council's notice of each year. */
  holidays: z
    .array(z.iso.date())
    .default([
      ...['2026-01-01', '2026-01-02', '2026-02-16', '2026-02-17', '2026-02-18', '2026-02-19', '2026-02-20'],
      ...['2026-02-23', '2026-04-06', '2026-05-01', '2026-05-04', '2026-05-05', '2026-06-19', '2026-09-25'],
      ...['2026-10-01', '2026-10-02', '2026-10-05', '2026-10-06', '2026-10-07'],
    ]),
  workingWeekends: z
    .array(z.iso.date())
    .default(['2026-01-04', '2026-02-14', '2026-02-28', '2026-05-09', '2026-09-20', '2026-10-10']),
})

/** Without a matter. */
const Matter = z.strictObject({
  /** Matters that say nothing, whatever signs, blanks and widths they are written with. */
  placeholders: z
    .array(z.string().min(1).max(50))
    .default([
      ...[
        '无',
        '没有',
        '无事由',
        '测试',
        '测试用',
        '试',
        '查询',
        '查一下',
        '看看',
        '核查',
        '其他',
        '其它',
        '略',
        '空',
        '同上',
      ],
      ...[
        'none',
        'nil',
        'null',
        'na',
        'test',
        'testing',
        'query',
        'check',
        'other',
        'tbd',
        'todo',
        'asdf',
        'abc',
        '123',
      ],
    ]),
  /** Questions of a day with such a matter. */
  questions: count.default(3),
  /** Subjects of a day under one and the same matter. */
  sameMatter: count.default(200),
})

const Exception = z.strictObject({
  /** A city's id, or a department's of ours. */
  asker: z.string().min(1).max(80),
  rule: z.enum(rules),
  reason: z.string().min(1).max(400),
  /** Last day of the exception, Asia/Shanghai. */
  until: z.iso.date(),
})

/** The form of `unusual.json`. What is left out is as shipped. */
export const Thresholds = z.strictObject({
  walk: Walk.prefault({}),
  volume: Volume.prefault({}),
  hours: Hours.refine(({ from, until }) => from < until, 'the office closes before it opens').prefault({}),
  matter: Matter.prefault({}),
  /** What is known and agreed, with the reason and an end: an asker that a rule passes over. */
  exceptions: z.array(Exception).default([]),
})
export type Thresholds = z.infer<typeof Thresholds>

/** The name of the file in the configuration folder. */
export const THRESHOLDS = 'unusual.json'

/**
 * Reads `<config>/unusual.json`. Pushes to `faults` what is wrong with it. `own` is false where there is no such file: then
 * the shipped thresholds hold, since an upgrade must neither stop a gateway nor leave its askers unwatched.
 */
export function readThresholds(
  config: string,
  faults: Fault[],
): { readonly thresholds: Thresholds; readonly own: boolean } {
  const path = join(config, THRESHOLDS)
  const shipped = Thresholds.parse({})
  if (!existsSync(path)) return { thresholds: shipped, own: false }
  const read = readForm({ file: THRESHOLDS, text: readFileSync(path, 'utf8') }, Thresholds, faults)
  return { thresholds: read ?? shipped, own: true }
}

/** Whether a day (YYYY-MM-DD) is one on which offices work. */
export function isWorkingDay(day: string, { holidays, workingWeekends }: Thresholds['hours']): boolean {
  if (holidays.includes(day)) return false
  return Temporal.PlainDate.from(day).dayOfWeek <= 5 || workingWeekends.includes(day)
}
