/** The tables by which parties recognise each other's lists and ratings: a table that contradicts itself, or makes more of a word than it says, is told before it is used. */
import { z } from 'zod'
import { type Fault, jsonPath } from '#protocol/fault.ts'
import { CityId, Code } from '#protocol/message.ts'
import { relations } from '#schema/format.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'

/** One list, or one level of a scheme, and what it is at the receiving city: nothing, one, or one of several. */
const Row = z.strictObject({
  of: Code,
  as: z.array(Code).max(16),
  relation: z.enum(relations),
  outcome: z.enum(['recognised', 'informational']),
})
export type RecognitionRow = z.infer<typeof Row>

const head = {
  clause: z.string().min(1),
  /** Who gives the record, and who takes it for its own; the other direction is another table. */
  from: z.array(CityId).min(1),
  to: z.array(CityId).min(1),
  /** The days of the records that the table is for, both included; open where absent. */
  validFrom: z.iso.date().optional(),
  validTo: z.iso.date().optional(),
  rows: z.array(Row).min(1),
}

/** 互认表: codes of `list-types`, or levels of one scheme in those of another, each without its scheme's name in front. */
export const RecognitionTable = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('list'), ...head }),
  z.strictObject({ kind: z.literal('rating'), foreign: Code, ours: Code, ...head }),
])
export type RecognitionTable = z.infer<typeof RecognitionTable>
type RatingTable = Extract<RecognitionTable, { kind: 'rating' }>

type Report = (path: readonly PropertyKey[], problem: string, remedy: string) => void

/** Every fault of the tables of an agreement between `parties`; `file` is the name that faults give. Pure. */
export function recognitionFaults(
  tables: readonly RecognitionTable[],
  parties: readonly string[],
  vocabulary: Vocabulary,
  file: string,
): Fault[] {
  const faults: Fault[] = []
  const report: Report = (path, problem, remedy) =>
    faults.push({ file, path: jsonPath(['recognition', ...path]), problem, remedy })
  for (const [i, table] of tables.entries()) {
    const at = (...path: PropertyKey[]) => [i, ...path]
    const here: Report = (path, problem, remedy) => report(at(...path), problem, remedy)
    checkHead(table, parties, here)
    for (const [j, row] of table.rows.entries()) checkRow(row, (path, ...said) => here(['rows', j, ...path], ...said))
    if (table.kind === 'list') checkLists(table.rows, vocabulary, here)
    else checkLevels(table, vocabulary, here)
    for (const [k, other] of tables.entries()) if (k < i) checkTwice(table, other, k, here)
  }
  return faults
}

function checkHead({ from, to, validFrom, validTo }: RecognitionTable, parties: readonly string[], report: Report) {
  for (const [side, cities] of Object.entries({ from, to })) {
    for (const city of cities) {
      if (!parties.includes(city)) report([side], `${city} is no party`, 'Name parties of the agreement')
    }
  }
  if (pairsOf(from, to).length === 0) report(['to'], 'nobody recognises what is another’s', 'Name two different cities')
  if (validFrom !== undefined && validTo !== undefined && validTo < validFrom) {
    report(['validTo'], 'ends before it begins', 'Correct the dates')
  }
}

/** How many there are on our side follows from the relation. */
function checkRow({ of, as, relation, outcome }: RecognitionRow, report: Report) {
  if (relation === 'none' && as.length > 0) report(['as'], `${of} has no counterpart and names one`, 'Remove it')
  if ((relation === 'exact' || relation === 'narrower') && as.length !== 1) {
    report(['as'], `${relation} is one, and here are ${as.length}`, 'Name one, or use another relation')
  }
  if (relation === 'broader' && as.length < 2) {
    report(['as'], 'what is broader than one is that one or another', 'Name all that it can be')
  }
  if (relation === 'overlapping' && as.length === 0) report(['as'], 'is empty', 'Name what it overlaps, or use none')
  if (relation === 'none' && outcome === 'recognised') {
    report(['outcome'], `${of} is recognised as nothing`, 'Make it informational')
  }
  if (new Set(as).size < as.length) report(['as'], 'names one twice', 'Name each once')
}

/** An entry stays of its colour, is on one list, and is never on a severer one than it was. */
function checkLists(rows: readonly RecognitionRow[], { lists }: Vocabulary, report: Report) {
  checkOnce(rows, report)
  for (const [j, { of, as, relation, outcome }] of rows.entries()) {
    const foreign = lists.get(of)
    if (foreign === undefined) report(['rows', j, 'of'], `list ${of} is not known`, 'Use a code of list-types')
    const known = as.flatMap(code => {
      const list = lists.get(code)
      if (list === undefined) report(['rows', j, 'as'], `list ${code} is not known`, 'Use a code of list-types')
      return list ?? []
    })
    if (foreign === undefined || outcome === 'informational') continue
    if (relation !== 'exact' && relation !== 'narrower') {
      report(
        ['rows', j, 'relation'],
        `an entry is on one list, and ${relation} does not say which`,
        'Make it informational',
      )
    }
    if (foreign.colour === 'black' && foreign.basis === null) {
      const remedy = 'Make it informational: only a law, a regulation or central policy sets up such a list'
      report(['rows', j, 'outcome'], `${of} has no legal basis (国办发〔2020〕49号)`, remedy)
    }
    for (const { code, colour, severe } of known) {
      if (colour !== foreign.colour) {
        report(
          ['rows', j, 'as'],
          `${of} is ${foreign.colour} and ${code} is ${colour}`,
          'Use a list of the same colour',
        )
      }
      if (severe && !foreign.severe) {
        report(['rows', j, 'as'], `${code} is severe and ${of} is not`, 'Make it informational: nothing escalates')
      }
    }
  }
}

function checkLevels(table: RatingTable, { schemes }: Vocabulary, report: Report) {
  const { rows } = table
  checkOnce(rows, report)
  const [foreign, ours] = [schemes.get(table.foreign), schemes.get(table.ours)]
  for (const side of ['foreign', 'ours'] as const) {
    const scheme = schemes.get(table[side])
    if (scheme === undefined)
      report([side], `rating scheme ${table[side]} is not known`, 'Use a code of rating-schemes')
    else if (!overlap(table, { validFrom: scheme.validFrom ?? undefined, validTo: scheme.validTo ?? undefined })) {
      report([side], `${table[side]} is not in force on any day of the table`, 'Correct the days, or the scheme')
    }
  }
  if (foreign === undefined || ours === undefined) return
  const levelOf = ({ levels }: typeof foreign, code: string) => levels.find(each => each.code.endsWith(`.${code}`))
  for (const [j, { of, as, relation }] of rows.entries()) {
    const level = levelOf(foreign, of)
    if (level === undefined) report(['rows', j, 'of'], `${table.foreign} has no level ${of}`, 'Correct the level')
    if (level?.rank === null && relation !== 'none') {
      const remedy = 'Use the relation none: what is not rated stands between no two levels'
      report(['rows', j, 'relation'], `${table.foreign}.${of} is no rating`, remedy)
    }
    for (const code of as) {
      const known = levelOf(ours, code)
      if (known === undefined) report(['rows', j, 'as'], `${table.ours} has no level ${code}`, 'Correct the level')
      if (known?.rank === null) report(['rows', j, 'as'], `${table.ours}.${code} is no rating`, 'Use the relation none')
    }
    if (foreign === ours && relation !== 'none' && (relation !== 'exact' || as[0] !== of)) {
      report(['rows', j], `${of} is another level of its own scheme`, `Write exact and ${of}, or none`)
    }
  }
  for (const { code } of foreign.levels) {
    const short = code.slice(foreign.code.length + 1)
    if (!rows.some(({ of }) => of === short)) {
      report(['rows'], `the level ${short} is missing`, 'Add it, with the relation none where nothing corresponds')
    }
  }
  checkOrder(
    rows,
    of => levelOf(foreign, of)?.rank,
    of => levelOf(ours, of)?.rank,
    report,
  )
}

type Rank = (level: string) => number | null | undefined

/** Of two levels the better one is never recognised as the worse. */
function checkOrder(rows: readonly RecognitionRow[], theirs: Rank, ours: Rank, report: Report) {
  const ranked = rows.flatMap(({ of, as }, j) => {
    const rank = theirs(of)
    const range = as.flatMap(code => ours(code) ?? [])
    return typeof rank === 'number' && range.length > 0
      ? [{ j, of, rank, best: Math.min(...range), worst: Math.max(...range) }]
      : []
  })
  const ordered = ranked.toSorted((a, b) => a.rank - b.rank)
  for (const [k, lower] of ordered.entries()) {
    const upper = ordered[k - 1]
    if (upper === undefined || (upper.best <= lower.best && upper.worst <= lower.worst)) continue
    report(
      ['rows', lower.j, 'as'],
      `${lower.of} is below ${upper.of} and comes out above it`,
      'Correct one of the rows',
    )
  }
}

function checkOnce(rows: readonly RecognitionRow[], report: Report) {
  const seen = new Set<string>()
  for (const [j, { of }] of rows.entries()) {
    if (seen.has(of)) report(['rows', j, 'of'], `${of} stands twice`, 'Keep one row')
    seen.add(of)
  }
}

/** One thing, from one city to one other, on one day, is one thing. */
function checkTwice(table: RecognitionTable, other: RecognitionTable, k: number, report: Report) {
  if (table.kind !== other.kind || !overlap(table, other)) return
  if (table.kind === 'rating' && other.kind === 'rating' && table.foreign !== other.foreign) return
  const pairs = new Set(pairsOf(other.from, other.to).map(pair => pair.join(' ')))
  if (!pairsOf(table.from, table.to).some(pair => pairs.has(pair.join(' ')))) return
  for (const [j, { of }] of table.rows.entries()) {
    if (!other.rows.some(row => row.of === of)) continue
    report(['rows', j, 'of'], `${of} also stands in recognition[${k}] for some of the same days`, 'Keep one of them')
  }
}

function pairsOf(from: readonly string[], to: readonly string[]): [string, string][] {
  return from.flatMap(giver => to.filter(taker => taker !== giver).map((taker): [string, string] => [giver, taker]))
}

type Dated = { readonly validFrom?: string | undefined; readonly validTo?: string | undefined }

function overlap(a: Dated, b: Dated): boolean {
  return (a.validFrom ?? '') <= (b.validTo ?? '9999-12-31') && (b.validFrom ?? '') <= (a.validTo ?? '9999-12-31')
}
