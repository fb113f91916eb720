/** What an agreement gives from one city to another, field by field and purpose by purpose, by the rule that every question is judged by. */
import type { Signed } from '#agreement/agreement.ts'
import { type Clause, scopeOf } from '#agreement/authorise.ts'
import { Refusal } from '#protocol/refusal.ts'
import type { ShareLevel } from '#schema/record.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'

/** One clause that gives a field. `kinds`: of which kinds of subject. */
export type Given = { readonly clause: string; readonly level: ShareLevel; readonly kinds: readonly string[] }

export type Matrix = {
  /** Purposes for which all is the same stand together. */
  readonly columns: readonly { readonly purposes: readonly string[] }[]
  readonly families: readonly {
    readonly family: string
    /** Each clause with its own lists, or schemes, and nobody else's; none where the family has neither. */
    readonly narrowed: readonly {
      readonly clause: string
      readonly lists: readonly string[]
      readonly schemes: readonly string[]
    }[]
    /** One cell for each column, empty where the field is not given. */
    readonly fields: readonly { readonly field: string; readonly cells: readonly (readonly Given[])[] }[]
  }[]
}

type Families = ReadonlyMap<string, readonly Clause[]>

/** The matrix of one agreement, one giver and one receiver. Without columns: it gives nothing this way. */
export function matrixOf(signed: Signed, from: string, to: string, vocabulary: Vocabulary): Matrix {
  const scopes = [...vocabulary.purposes.keys()].flatMap(purpose => {
    const families = permitted(signed, { from, to, purpose }, vocabulary)
    return families === undefined ? [] : [{ purpose, families }]
  })
  const alike = [...Map.groupBy(scopes, ({ families }) => JSON.stringify([...families].map(plain))).values()]
  const columns = alike.flatMap(([first, ...others]) =>
    first === undefined
      ? []
      : [{ purposes: [first, ...others].map(({ purpose }) => purpose), families: first.families }],
  )
  const families = [...vocabulary.families.values()].flatMap(({ code, fields }) => {
    const clauses = columns.map(column => column.families.get(code) ?? [])
    if (clauses.every(each => each.length === 0)) return []
    const rows = [...fields.keys()].map(field => ({ field, cells: clauses.map(each => givenBy(each, field)) }))
    return [{ family: code, narrowed: narrowedBy(clauses.flat()), fields: rows }]
  })
  return { columns: columns.map(({ purposes }) => ({ purposes })), families }
}

function permitted(
  signed: Signed,
  ask: { readonly from: string; readonly to: string; readonly purpose: string },
  vocabulary: Vocabulary,
): Families | undefined {
  const want = [...vocabulary.families.keys()].map(family => ({ family }))
  try {
    return scopeOf(signed, { ...ask, want }, vocabulary).families
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

function plain([family, clauses]: readonly [string, readonly Clause[]]): unknown {
  return [
    family,
    clauses.map(({ clause, kinds, level, fields, lists = [], schemes = [] }) => [
      clause,
      level,
      ...[kinds, fields, lists, schemes].map(each => [...each]),
    ]),
  ]
}

/** Each once, though several purposes have it. */
function narrowedBy(clauses: readonly Clause[]): Matrix['families'][number]['narrowed'] {
  const each = clauses.map(({ clause, lists = [], schemes = [] }) => ({
    clause,
    lists: [...lists],
    schemes: [...schemes],
  }))
  return [...new Map(each.map(one => [JSON.stringify(one), one])).values()].filter(
    ({ lists, schemes }) => lists.length + schemes.length > 0,
  )
}

function givenBy(clauses: readonly Clause[], field: string): Given[] {
  return clauses
    .filter(({ fields }) => fields.has(field))
    .map(({ clause, level, kinds }) => ({ clause, level, kinds: [...kinds] }))
}
