/** Six running cities under the shipped agreements, into whose own tables a test puts a row and reads in another city what became of it. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AskAnswer } from '#exchange/ask.ts'
import { completeUscc } from '#protocol/subject.ts'
import { runFederation } from '../federation.ts'
import { cityNames, mappingOf } from '../schema/cities.ts'

export type Cells = Readonly<Record<string, string | number | null>>
type Result = AskAnswer['peers'][number]['results'][number]
export type Told = Result['records'][number]

/** Of Yangtze Delta, Shandong and Guangdong: the divisions by which the made-up codes begin, as each city's firms have them. */
const divisions: Readonly<Record<string, string>> = {
  jiangyin: '320281',
  jimo: '370215',
  suqian: '321300',
  quzhou: '330800',
  ningbo: '330200',
  huizhou: '441300',
}
let serial = 600

/** A fictional enterprise that no other test has. */
export function newFirm(city: string, kind: '91' | '92' | '93' = '91'): string {
  serial += 1
  return completeUscc(`${kind}${divisions[city]}XXXXX${serial}`)
}

const today = Temporal.Now.plainDateISO('Asia/Shanghai')
/** A day so many days from today in Asia/Shanghai, YYYY-MM-DD. */
export const day = (days: number) => today.add({ days }).toString()

export async function sixCities() {
  const running = await runFederation({ cities: cityNames, peerTimeout: 5_000 })

  /** Puts a row about the enterprise into a table, like the first one that has the cells of `like`. */
  const put = (city: string, name: string, subject: string | null, change: Cells, like: Cells = {}) => {
    const table = [...mappingOf(city).tables.values()].find(each => each.name === name || each.table === name)
    if (table === undefined) throw new RangeError(`${city} has no table ${name}`)
    const { data } = running.federation.city(city).settings
    using db = new DatabaseSync(join(data, `${table.source}.sqlite`))
    const where = Object.entries(like)
    const found = db
      .prepare(
        `select * from "${table.table}" where ${['true', ...where.map(([column]) => `"${column}" is ?`)].join(' and ')}`,
      )
      .get(...where.map(([, cell]) => cell))
    if (found === undefined) throw new RangeError(`no row of ${table.table} is like ${JSON.stringify(like)}`)
    const [first = '', ...others] = table.key.columns
    const made = { ...found, ...Object.fromEntries(others.map(column => [column, null])), [first]: subject, ...change }
    const names = Object.keys(made)
    db.prepare(
      `insert into "${table.table}" (${names.map(column => `"${column}"`).join(', ')}) values (${names.map(() => '?').join(', ')})`,
    ).run(...Object.values(made))
  }

  /** What `to` says of the enterprise when `from` asks, for fiscal funds unless told otherwise. */
  const ask = async (
    from: string,
    to: string,
    subject: string,
    over: Readonly<Record<string, unknown>> = {},
  ): Promise<Result> => {
    const request = { peer: to, subjects: [subject], purpose: 'fiscal-funds', matter: '示范〔2026〕9号', ...over }
    const { status, body } = await running.ask(from, request)
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`)
    const [result] = AskAnswer.parse(body).peers[0]?.results ?? []
    if (result === undefined) throw new Error(JSON.stringify(body))
    return result
  }

  /** The one record of a family that came. */
  const only = async (
    from: string,
    to: string,
    subject: string,
    family: string,
    purpose = 'fiscal-funds',
  ): Promise<Told> => {
    const { records, status } = await ask(from, to, subject, { purpose })
    const [one, ...more] = records.filter(({ shared }) => shared.family === family)
    if (one === undefined || more.length > 0)
      throw new Error(`${more.length + (one ? 1 : 0)} records of ${family}, ${status}`)
    return one
  }

  return { running, put, ask, only, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() }
}
