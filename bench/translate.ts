/** What translating and disclosing costs, beside the JSON parse and stringify of the same records. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { z } from 'zod'
import { Agreement, type Agreements, type Signed } from '#agreement/agreement.ts'
import { authorise } from '#agreement/authorise.ts'
import { disclose } from '#agreement/disclose.ts'
import { digest } from '#protocol/canonical.ts'
import type { Query } from '#protocol/message.ts'
import { completeUscc } from '#protocol/subject.ts'
import { type CompiledMapping, readMapping } from '#schema/mapping.ts'
import type { LocalRow } from '#schema/text.ts'
import { type FoundFamily, translate } from '#schema/translate.ts'
import { readVocabulary } from '#schema/vocabulary.ts'
import type { Verified } from '#trust/verify.ts'
import { type DemoTable, readTables } from '../src/demo-tables.ts'
import { home } from '../src/federation.ts'
import { lean } from '../src/process.ts'

const SUBJECTS = 100
/** Batches that are timed together. */
const BATCHES = 20
/** As many different ones go round as no memory of texts holds. */
const DIFFERENT = 5
const WARM_UP = 30
const ROUNDS = 100
/** Of each subject: two licences, a penalty, a red list, a rating. */
const ROWS: readonly (readonly [family: string, table: string, id: string])[] = [
  ['licence', 'YW_L_SGSXZXK', '1001'],
  ['licence', 'YW_L_SGSXZXK', '1005'],
  ['penalty', 'YW_L_XZCF', '1009'],
  ['list', 'YW_L_HONGMINGDAN', '1022'],
  ['rating', 'YW_L_FRHYPD', '1023'],
]

export type Figures = {
  /** Every subject's records say the same, as most columns of a city's table do: offices, laws, kinds, lists. */
  readonly translate_over_json: number
  /** No free text stands in the batches twice: what is remembered of a text helps nowhere. */
  readonly translate_over_json_distinct: number
}

/** Measures in a process of its own, which runs as a gateway does. */
export async function translateOverJson(): Promise<Figures> {
  const { stdout } = await promisify(execFile)(process.execPath, [...lean, import.meta.filename, '--json'])
  return z
    .object({ translate_over_json: z.number(), translate_over_json_distinct: z.number() })
    .parse(JSON.parse(stdout))
}

/**
 * How many times the JSON parse and stringify of the same records it costs to translate and to disclose them: 100 subjects of
 * Jiangyin with 5 records each, as the demo's rows have them. Of each the median of `ROUNDS` in turn.
 */
async function measure(distinct: boolean): Promise<number> {
  const mapping = configuration()
  const batches = await Promise.all(
    Array.from({ length: distinct ? DIFFERENT : 1 }, async (_, batch) => {
      const codes = Array.from({ length: SUBJECTS }, (_, i) =>
        completeUscc(`91320281XX${String(batch * SUBJECTS + i).padStart(6, '0')}`),
      )
      const found = foundAbout(codes, mapping, distinct)
      const permission = await permitted(codes, mapping)
      const ours = () => disclose(translate(found, mapping), permission)
      const { body, text } = ours()
      const given = body.results.reduce((sum, { records }) => sum + records.length, 0)
      if (given !== SUBJECTS * ROWS.length) throw new Error(`${given} records are given, not ${SUBJECTS * ROWS.length}`)
      return { ours, theirs: () => JSON.stringify(JSON.parse(text)) }
    }),
  )
  const our: number[] = []
  const their: number[] = []
  // The first rounds are for the engine to compile what is hot.
  for (let i = -WARM_UP; i < ROUNDS; i++) {
    const ourTime = taken(batches.map(({ ours }) => ours))
    const theirTime = taken(batches.map(({ theirs }) => theirs))
    if (i < 0) continue
    our.push(ourTime)
    their.push(theirTime)
  }
  return Number((middle(our) / middle(their)).toFixed(2))
}

/** Microseconds of processor time for a round, the collector’s part in it. */
function taken(works: readonly (() => unknown)[]): number {
  const before = process.cpuUsage()
  for (let i = 0; i < BATCHES; i++) works[i % works.length]?.()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function middle(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
}

function configuration(): CompiledMapping {
  const folder = join(home, 'federation-config')
  const file = (...path: string[]) => ({ file: path.join('/'), text: readFileSync(join(folder, ...path), 'utf8') })
  const vocabulary = readVocabulary(readdirSync(join(folder, 'vocabulary')).map(name => file('vocabulary', name)))
  return readMapping(file('mappings', 'jiangyin.json'), vocabulary)
}

function foundAbout(codes: readonly string[], { tables }: CompiledMapping, distinct: boolean): FoundFamily[] {
  const demo = readTables(join(home, 'demo', 'jiangyin'))
  const models = ROWS.map(([family, table, id]) => {
    const { columns = [], key } = tables.get(table) ?? {}
    const cells = demo.find(each => each.table === table)?.rows.find(row => row['ID'] === id)
    const rowOf = (code: string): LocalRow =>
      Object.fromEntries(
        columns.map(column => {
          const text = textOf(cells?.[column])
          const free = distinct && text !== null && FREE.includes(column)
          return [column, key?.columns.includes(column) ? code : free ? flat(`${text}${hanOf(code)}`) : text]
        }),
      )
    return { family, table, rowOf }
  })
  return [...Map.groupBy(models, ({ family }) => family)].map(([family, ofFamily]) => ({
    family,
    rows: codes.flatMap(subject => ofFamily.map(({ table, rowOf }) => ({ table, subject, row: rowOf(subject) }))),
    freshness: { family, asOf: new Date().toISOString(), status: 'fresh' },
  }))
}

/** What is written anew for each record: names, numbers of documents, contents, facts, grounds. */
const FREE = ['JGQC', 'XZXDRMC', 'XKJDSWH', 'XMMC', 'XKNR', 'CFJDSWH', 'AJMC', 'CFSY', 'CFYJ', 'CFJG', 'BZWJH']

/** The text in one piece, as a database gives it; the engine keeps a text that is put together in its parts. */
function flat(text: string): string {
  return Buffer.from(text).toString()
}

/** The number of an enterprise as a text that no search takes for a number. */
function hanOf(code: string): string {
  return Array.from(code.slice(10, 16), digit => '甲乙丙丁戊己庚辛壬癸'[Number(digit)] ?? digit).join('')
}

/** A cell as its database would give it; its days count from today. */
function textOf(cell: DemoTable['rows'][number][string] | undefined): string | null {
  if (cell === undefined || cell === null) return null
  if (typeof cell !== 'object') return String(cell)
  const day = Temporal.Now.plainDateISO('Asia/Shanghai').add({ days: cell.today })
  return day.toString().replaceAll('-', '/')
}

function permitted(subjects: readonly string[], { vocabulary }: CompiledMapping) {
  const path = join(home, 'federation-config', 'agreements', 'jiangyin-huizhou-2026.json')
  const text = Agreement.parse(JSON.parse(readFileSync(path, 'utf8')))
  const signed: Signed = { text, digest: digest(text), begins: 0, ends: Number.MAX_SAFE_INTEGER }
  const agreements: Agreements = { all: [signed], find: () => signed, idle: [] }
  const claims: Query = {
    iss: 'huizhou',
    aud: 'jiangyin',
    iat: 1_800_000_000,
    nbf: 1_800_000_000,
    exp: 1_800_000_060,
    jti: '01a20132-2522-7f35-83ee-7b82f9b98e86',
    agreement: { id: text.id, digest: signed.digest },
    purpose: 'fiscal-funds',
    matter: '惠招〔2026〕1号',
    subjects: [...subjects],
    want: ['licence', 'penalty', 'list', 'rating'].map(family => ({ family })),
  }
  // No question has been asked: what is measured begins where one has been verified.
  const request = { claims, member: undefined, token: '', hash: '', sealed: false } as unknown as Verified<Query>
  return authorise(request, { id: 'jiangyin', agreements, vocabulary, quotas: { take: async () => {} }, now: Date.now })
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
  const figures: Figures = lean.every(flag => process.execArgv.includes(flag))
    ? { translate_over_json: await measure(false), translate_over_json_distinct: await measure(true) }
    : await translateOverJson()
  if (values.json) console.log(JSON.stringify(figures))
  else for (const [name, figure] of Object.entries(figures)) console.log(`${name.padEnd(30)}${figure}`)
}
