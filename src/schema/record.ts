/** A credit record inside the gateway: what may travel, and beside it the facts by which the gates decide whether it does. */
import type { Value } from '#protocol/message.ts'
import type { SubjectKind } from '#protocol/subject.ts'

/** 共享级别, from the most open to the most closed. What has none of these is not shared. */
export const shareLevels = ['public', 'government', 'authorised'] as const
export type ShareLevel = (typeof shareLevels)[number]

/** Whether what is open up to `granted` covers something shared at `level`; what has no level, or one unknown, is never covered. */
export function reaches(granted: ShareLevel, level: SharedRecord['level']): boolean {
  if (level === undefined || level === 'undetermined') return false
  return shareLevels.indexOf(level) <= shareLevels.indexOf(granted)
}

/**
 * 记录状态, from the one that hinders nothing to the one that outweighs all others: where several columns of a table speak
 * of the state, the latest in this order holds. Only `normal` and `objection` may be given; `undetermined` is a state
 * outside the mapping, and `ended` one that the city itself declares over.
 */
export const recordStates = [
  'normal',
  'objection',
  'undetermined',
  'ended',
  'repaired',
  'withdrawn',
  'deleted',
] as const
export type RecordState = (typeof recordStates)[number]

/** A calendar day YYYY-MM-DD, or `indefinite`; they compare as text, `indefinite` being later than any day. */
export type Day = string

export type SharedRecord = {
  readonly id: string
  readonly family: string
  /** Empty where the record is about a person: such a row is never read further. */
  readonly fields: Readonly<Record<string, Value>>

  // Gate facts: they decide, and do not travel by themselves.
  /** The code that was asked for, as it was asked for. */
  readonly subject: string
  readonly kind: SubjectKind | undefined
  readonly aboutPerson: boolean | 'undetermined'
  /** Undefined: its city says that it is not shared. Undetermined: its city says nothing that is known. */
  readonly level: ShareLevel | 'undetermined' | undefined
  readonly state: RecordState
  /** 公示截止期. Undefined: the city states none. */
  readonly publishedUntil: Day | undefined
  /** 移出日期: the day on which the record ended or will end. Undefined: the city states none. */
  readonly endedOn: Day | undefined
  /** 未纠正失信行为或未完全履行义务, where the city says so. */
  readonly uncorrected?: true
  /** Code of the list type (family list), of the rating scheme (family rating); undefined where it did not translate. */
  readonly list: string | undefined
  readonly scheme: string | undefined
}
