/** `xinqiao ledger`: begun, verified, moved, copied and brought back, each time verified before anybody relies on it. */
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { isPostgres, shown } from '#ledger/place.ts'
import type { Verification } from '#ledger/walk.ts'
import { Receipt } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { type Command, ENV, type Exit, Failure, optional, parse, settingsFrom, Usage } from './words.ts'

export const ledgerCommand: Command = {
  usage: [
    'ledger verify FILE|URL [--receipts FILE] [--json]',
    `ledger create [--role ROLE] ${ENV}`,
    'ledger grant URL ROLE',
    'ledger upgrade URL',
    'ledger move FROM TO [--json]',
    `ledger backup FILE [--json] ${ENV}`,
    `ledger restore FILE [--json] ${ENV}`,
    `ledger hold NAME --by PERSON --reason TEXT [--subject CODE]... [--from DAY] [--to DAY] ${ENV}`,
    `ledger release NAME --by PERSON --reason TEXT ${ENV}`,
    `ledger holds [--json] ${ENV}`,
    `ledger proof INDEX [--out FILE] ${ENV}`,
    `ledger contradictions [--json] ${ENV}`,
    `ledger acknowledge CITY --by NAME ${ENV}`,
  ],
  zh: '核验、建立、迁移、备份和恢复日志；条目证明与对证',
  en: 'verify, begin, move, back up and bring back the ledger; its proofs, and contradictions that were found',
  more: `  FILE, FROM, TO   日志文件 ledger.sqlite，或 postgres://… a file, or a PostgreSQL
  verify           逐条核验，不改动日志，网关运行时也可进行 check a ledger entry by entry, also while it is in use
  --receipts FILE  各方持有的回执（JSON 数组）；日志末尾被截去时只有回执能发现
                   receipts that somebody holds, a JSON array: only they show that the end was cut off
  create           在 XINQIAO_LEDGER 所指的 PostgreSQL 中建立日志 begin the ledger in the PostgreSQL of XINQIAO_LEDGER
  --role ROLE      网关所用的数据库角色：只能追加和读取 the gateways' own role, which may append and read, and nothing else
  grant            让网关的数据库角色可追加、可读取已有的日志（迁移或恢复之后）；URL 用所有者的账号
                   the same for a ledger that is there already, after move or restore; the URL is its owner's
  upgrade          程序升级后，将 PostgreSQL 中的日志表升到新版本；先停止所有网关，URL 用所有者的账号
                   after an update of the program: bring the tables in PostgreSQL up to its version, with all gateways ended
  move             网关停止后，将日志迁到另一处并核验；原文件改名为 .moved
                   with every gateway ended: take the ledger elsewhere and verify it; a file is renamed to .moved
  backup           网关运行时即可备份，备份为独立的日志文件，写完即核验
                   while gateways run: a ledger file by itself, verified when it is written
  restore          从备份恢复到本市日志的位置；该处不得已有日志 bring a backup back to where the ledger belongs
  hold, release    法定保全：到期的证据暂不删除，直至解除；经手人与理由记入日志
                   a legal hold: evidence stays beyond its days until it is lifted; by whose word and why is an entry
  proof            一条记录的包含证明（C2SP tlog-proof），可离线核对 that an entry is in the log, as one text
  contradictions   本市发现的日志矛盾：谁的日志被改写、分叉、截短或倒回 logs that were found to contradict what they said before
  acknowledge      负责人已知悉某市的矛盾 somebody in charge knows of a city's contradiction

例 examples:
  xinqiao ledger create --role gateway --env xinqiao.env
  xinqiao ledger move data/ledger.sqlite postgres://owner@db/ledger
  xinqiao ledger backup /backup/2026-11-22.sqlite --env xinqiao.env`,
  run: ledger,
}

async function ledger(words: string[]): Promise<Exit> {
  if (/^(hold|release|holds)$/.test(words[0] ?? '')) return (await import('./hold-command.ts')).holdCommand(words)
  if (/^(proof|contradictions|acknowledge)$/.test(words[0] ?? ''))
    return (await import('./ledger-log-command.ts')).ledgerLog(words)
  const { copyLedger, moveLedger } = await import('#ledger/copy.ts')
  const { createLedgerAt, verifyLedgerAt } = await import('#ledger/open.ts')
  const option = { type: 'string' } as const
  const { values, positionals } = parse(words, {
    env: option,
    role: option,
    receipts: option,
    json: { type: 'boolean' },
  })
  const [action, first, second, ...rest] = positionals
  const [isOne, isTwo] = [first !== undefined && second === undefined, second !== undefined && rest.length === 0]
  const inJson = values['json'] === true
  const progress = inJson ? undefined : bar()
  switch (action) {
    case 'verify': {
      if (first === undefined || !isOne) throw new Usage({ form: 'ledger verify FILE|URL' })
      expectFile(first)
      const receipts = receiptsIn(optional(values, 'receipts'))
      return await mended(async () => tell(first, await verifyLedgerAt(first, { progress, receipts }), inJson))
    }
    case 'create': {
      const { ledger: place, city } = settingsFrom(values)
      if (first !== undefined || !isPostgres(place))
        throw new Usage({ zh: 'XINQIAO_LEDGER 不是 PostgreSQL 地址', en: 'XINQIAO_LEDGER names no PostgreSQL' })
      return await mended(async () => {
        await createLedgerAt(place, city, optional(values, 'role'))
        console.log(`已建立 begun: ${shown(place)}`)
        return 0
      })
    }
    case 'grant': {
      if (first === undefined || second === undefined || !isTwo || !isPostgres(first))
        throw new Usage({ form: 'ledger grant URL ROLE' })
      const { grantPostgresLedger } = await import('#ledger/postgres.ts')
      return await mended(async () => {
        await grantPostgresLedger(first, second)
        console.log(`已授权 granted: ${second}`)
        return 0
      })
    }
    case 'upgrade': {
      if (first === undefined || !isOne || !isPostgres(first)) throw new Usage({ form: 'ledger upgrade URL' })
      const { upgradePostgresLedger } = await import('#ledger/postgres.ts')
      return await mended(async () => {
        console.log(`已升级 upgraded: 版本 from version ${await upgradePostgresLedger(first)}`)
        return 0
      })
    }
    case 'move':
      if (first === undefined || second === undefined || !isTwo) throw new Usage({ form: 'ledger move FROM TO' })
      expectFile(first)
      return await mended(async () => tell(second, await moveLedger(first, second, { progress }), inJson))
    case 'backup':
      if (first === undefined || !isOne) throw new Usage({ form: 'ledger backup FILE' })
      return await mended(async () =>
        tell(first, await copyLedger(settingsFrom(values).ledger, first, { progress }), inJson),
      )
    case 'restore': {
      if (first === undefined || !isOne) throw new Usage({ form: 'ledger restore FILE' })
      expectFile(first)
      const { ledger: place } = settingsFrom(values)
      return await mended(async () => tell(place, await copyLedger(first, place, { progress }), inJson))
    }
    default:
      throw new Usage({
        form: 'ledger verify|create|grant|upgrade|move|backup|restore|hold|release|holds|proof|contradictions|acknowledge',
      })
  }
}

function expectFile(place: string): void {
  if (isPostgres(place) || existsSync(place)) return
  throw new Failure(
    { zh: `没有此文件：${place}`, en: `there is no such file: ${place}` },
    {
      zh: '指定某市的日志文件 ledger.sqlite，或 postgres://…',
      en: 'name the file ledger.sqlite of a city, or postgres://…',
    },
  )
}

/** What an operator can mend is said in a sentence, and not as a refusal that a peer would get. */
async function mended(work: () => Promise<Exit>): Promise<Exit> {
  try {
    return await work()
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault
    // The detail, which is for our own log, is in English alone.
    const { detail, public: told } = fault
    throw new Failure(detail === undefined ? told : { zh: '操作未完成，原因如下：', en: detail }, {
      zh: '改正所指之处，再运行一次；没有丢失任何内容',
      en: 'correct what is named, and call it again; nothing was taken away',
    })
  }
}

function receiptsIn(file: string | undefined): readonly Receipt[] {
  if (file === undefined) return []
  const read = z.array(Receipt).safeParse(JSON.parse(readFileSync(file, 'utf8')))
  if (read.success) return read.data
  throw new Failure(
    { zh: `${file} 中没有回执`, en: `${file} holds no receipts` },
    { zh: '应为 JSON 数组，各项为答复中的回执原样', en: 'a JSON array of receipts as they stand in answers' },
  )
}

/** A bar on a terminal, one line that is written over; nothing where nobody looks. */
function bar(): ((done: number, total: number) => void) | undefined {
  if (!process.stderr.isTTY) return undefined
  let last = -1
  return (done, total) => {
    const part = total === 0 ? 1 : done / total
    const cells = Math.floor(part * 40)
    const percent = Math.floor(part * 100)
    if (percent === last) return
    last = percent
    const end = part === 1 ? '\n' : ''
    process.stderr.write(`\r${'█'.repeat(cells)}${'░'.repeat(40 - cells)} ${percent}% ${done}/${total}${end}`)
  }
}

function tell(place: string, found: Verification, inJson: boolean): Exit {
  if (inJson) console.log(JSON.stringify(found))
  else {
    const { entries, evidence, signed, verified, head } = found
    const parts = `${entries} 条 entries（证据 evidence ${evidence}，已签 signed ${signed}）`
    console.log(`${shown(place)}: ${parts}，${verified ? '核验通过 whole' : '有误 NOT whole'}`)
    if (head !== undefined) console.log(`  链首 head ${head}`)
    for (const { name, index, detail } of found.faults)
      console.log(`  ${name}${index === undefined ? '' : ` #${index}`}: ${detail}`)
    const more = found.faultCount - found.faults.length
    if (more > 0) console.log(`  另有 and ${more} more`)
  }
  return found.verified ? 0 : 1
}
