/** JSON Schemas of the configuration files, for editors: made of the very forms that the gateway reads by. `node src/editor-schemas.ts` writes them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { Agreement } from '#agreement/agreement.ts'
import { MappingForm } from '#schema/format.ts'
import { forms, Plain } from '#schema/vocabulary.ts'
import { Rules } from '#trust/statement.ts'
import { MemberForm } from './office.ts'

type Schema = z.core.JSONSchema.JSONSchema

/** What an editor shows beside a member, by its path: `*` stands for any name, `[]` for an item of a list. */
type Hints = Readonly<Record<string, string>>

const mapping: Hints = {
  city: '本市代码 the city’s id, as in members/',
  version: '映射版本 version of this mapping; change it with every change',
  source: '依据：数据标准或表结构文档 where the tables are described',
  assumed: '表结构为推定 supposed, not read in a document; shown to whoever asks',
  none: '所有列中表示“无”的文字 texts that mean nothing in every column, such as \\N or 暂无',
  dates: '日期写法 how dates are written; the first format is the one that is written back',
  'dates.none': '表示“无日期”的写法 dates and texts that mean none, such as 1900-01-01',
  'dates.indefinite': '表示“长期”的写法 dates and texts that mean without end, such as 2099-12-31',
  unshown:
    '外市记录无表可显示的类别及原因 families whose foreign records are shown in no table, or not all; with the reason',
  codes: '代码表：本市词语与共享代码的对应 code lists: the city’s words and the shared codes',
  'codes.*.set': '共享词汇的代码集 the set of the shared vocabulary (federation-config/vocabulary/)',
  'codes.*.within': '仅评价等级：所属评价体系 for rating-levels: the scheme of the levels',
  'codes.*.read': '本市词语的含义 what each word means',
  'codes.*.read[].words': '同义的各种写法，第一个用于写回 spellings of one meaning; the first is written back',
  'codes.*.read[].relation':
    '本市词语与代码：exact 一致；narrower 更窄（说得更多）；broader 更宽（几个代码之一）；overlapping 部分重叠；none 无对应 how the word stands to the codes',
  'codes.*.read[].reason': '无对应的原因 why it means no code; needed with none',
  'codes.*.read[].validFrom': '自此日起（含） from this day on; the field’s rule then needs "asOf"',
  'codes.*.read[].validTo': '至此日止（含） up to and including this day',
  'codes.*.write':
    '没有完全对应词语的共享代码写成什么；never 表示只读 what is written for codes without an exact word; never: the list only decides',
  tables: '数据表 the city’s tables, by a name of this file',
  'tables.*.source': '所在数据库，见 XINQIAO_SOURCE which database, as in XINQIAO_SOURCE; default city',
  'tables.*.table': '数据库中的表名（与此名不同时） the name in the database, where it differs',
  'tables.*.family': '共享类别 the family of shared records: licence, penalty, list, rating …',
  'tables.*.columns': '读取的列及中文名 columns that are read, with their Chinese labels',
  'tables.*.ignored': '不读取的列及原因 columns that are never read, with the reason',
  'tables.*.where': '取数条件，须同时满足 rows that count: all conditions hold together',
  'tables.*.where[].in': '列为其中之一 the column holds one of these',
  'tables.*.where[].notIn': '列不为其中任何一个（空亦可） the column holds none of these; empty passes',
  'tables.*.where[].empty': '列为空 true，或不为空 false whether the column is empty',
  'tables.*.key': '主体代码所在的列 where the subject’s code stands; every column indexed',
  'tables.*.key.forms':
    '列中是什么：code 统一社会信用代码，organisation 组织机构代码，organisation-hyphen 带短横；大小写、全角、空格不论 what the columns hold, in whatever spelling',
  'tables.*.key.prefixes': '代码之前的文字 texts before the code, such as 统一社会信用代码：',
  'tables.*.shows': '外市记录是否显示在本表 whether foreign records are shown in this table',
  'tables.*.id': '记录标识：列（不变）或摘要 the record’s id: columns that never change, or a digest of columns',
  'tables.*.version': '版本号列，同一记录只取最大者 of several rows with one id the highest number counts',
  'tables.*.person': '如何判断自然人 how a row about a natural person is told; such a row is never read',
  'tables.*.state': '记录状态 the record’s state; of several columns the graver holds',
  'tables.*.level': '共享级别 the record’s share level; without one it is not shared',
  'tables.*.publishedUntil': '公示截止期 the last day of publicity; after it the record is not given',
  'tables.*.ended': '移出日期 from this day on the record is over',
  'tables.*.freshness': '更新时间列 the column that says when a row was supplied; without it the family is stale',
  'tables.*.freshness.maxAge': '最长间隔，如 P14D how old the newest row may be, such as P14D',
  'tables.*.fields': '共享字段的取值规则 how each shared field is made',
  'tables.*.fields.*.column': '取自一列 from one column',
  'tables.*.fields.*.columns': '取自几列，另须 take from several columns, with "take"',
  'tables.*.fields.*.take':
    'first 第一个非空；join 连接；all 各列代码并取 the first filled, all joined, or the codes of all',
  'tables.*.fields.*.constant': '每行相同的值 the same for every row',
  'tables.*.fields.*.default': '空列等同的词语 the word that an empty column stands for',
  'tables.*.fields.*.strip': '去掉的前后缀 noise before and behind the text',
  'tables.*.fields.*.none': '仅此列中表示“无”的文字 texts that mean nothing in this column',
  'tables.*.fields.*.codes': '代码表名 name of a code list; or lists chosen by another field',
  'tables.*.fields.*.split': '多个词语之间的分隔符 what stands between several words',
  'tables.*.fields.*.asOf': '按哪个日期字段选择词义 the date field by which dated words are chosen',
  'tables.*.fields.*.unit': '金额单位：元或万元 the unit: yuan or 10,000 yuan',
  'tables.*.fields.*.spelling':
    'twelve-digits 十二位区划代码；lower-case 小写代码 codes that this city writes otherwise',
  'tables.*.absent': '本表没有的共享字段及原因 shared fields that the table lacks, with the reason',
}

const vocabulary: Hints = {
  set: '代码集名称 name of the set',
  codes: '代码 the codes',
  'codes[].code': '共享代码 the shared code, never reused for another meaning',
  'codes[].source': '来源 where it is published',
  'codes[].verified': 'false：来源未读到 false: not read in its source',
  'codes[].validFrom': '生效日（含），null 为不限 first day in force; null is open',
  'codes[].validTo': '失效日（含），null 为不限 last day in force; null is open',
}

const member: Hints = {
  id: '城市代码，与文件名一致 the city’s id, as the file’s name',
  divisions: '行政区划代码 GB/T 2260, six digits, former ones too',
  endpoint: '对外地址 the https:// address that peers call',
  'certificates.signing': 'certs/ 中的签名证书 files of certs/ with signing certificates',
  'certificates.transport': 'certs/ 中的传输证书 files of certs/ with transport certificates',
  encryption: '加密公钥 public encryption keys, as `xinqiao keys new encryption` prints them',
}

const agreement: Hints = {
  id: '协议代码，与文件名一致 the agreement’s id, as the file’s name',
  parties: '缔约城市 the cities that sign',
  validFrom: '生效日（含） first day in force, in Asia/Shanghai',
  validTo: '失效日（含） last day in force',
  quota: '每个查询方的限额 limits of each asking party',
  confidential: '报文须加密 messages travel sealed; leave it out otherwise',
  grants: '授权条款；未列明的一律不提供 what is given; what no grant names is not',
  'grants[].clause': '条款号 number of the clause',
  'grants[].from': '提供方 who gives',
  'grants[].to': '查询方 who asks',
  'grants[].purposes': '查询目的 for which purposes',
  'grants[].kinds': '主体类别 about which kinds of subject',
  'grants[].shareLevel': '最高共享级别 up to which share level',
  'grants[].families': '类别及字段 families, with their fields',
  'grants[].families.*.lists': '仅名单：哪些名单 for lists: which of them',
  'grants[].families.*.schemes': '仅评级：哪些评价体系 for ratings: by which schemes',
}

const rules: Hints = {
  algorithms: '签名算法 algorithms with which members may sign',
  crlGraceSeconds: '吊销列表宽限期（秒） how long a revocation list may outlive its nextUpdate',
  publishSeconds: '新密钥公示期（秒） how long a new key is published before it signs',
}

/** The text of every schema file, by its name; JSON Schema 2020-12. Throws Error for a hint to which no member of the form answers. */
export function editorSchemas(): ReadonlyMap<string, string> {
  const sets = Object.entries(forms).map(([name, form]) => {
    const schema = plainly(form)
    return { ...schema, properties: { ...schema.properties, set: { const: name } } }
  })
  const schemas: readonly (readonly [name: string, title: string, schema: Schema, hints: Hints])[] = [
    ['mapping', '城市映射 a city’s mapping (docs/mapping.md)', plainly(MappingForm), mapping],
    ['vocabulary', '共享词汇代码集 a set of the shared vocabulary', { anyOf: [...sets, plainly(Plain)] }, vocabulary],
    ['member', '成员 a city that hands itself in to be admitted', plainly(MemberForm), member],
    ['agreement', '协议 an agreement, before it is signed', plainly(Agreement), agreement],
    ['rules', '联盟规则 the federation’s rules', plainly(Rules), rules],
  ]
  return new Map(
    schemas.map(([name, title, schema, hints]) => {
      const used = new Set<string>()
      const told = {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        title,
        ...hinted(schema, '', hints, used),
      }
      const unused = Object.keys(hints).filter(path => !used.has(path))
      if (unused.length > 0) throw new Error(`the form of ${name} has no ${unused.join(', ')}`)
      return [`${name}.schema.json`, `${JSON.stringify(told, null, 2)}\n`]
    }),
  )
}

function plainly(form: z.ZodType): Schema {
  const { $schema: _, ...schema } = z.toJSONSchema(form, {
    io: 'input',
    // Not every editor knows classes of Unicode, and one that does not would take no Chinese name: what is not ASCII passes.
    override: ({ jsonSchema }) => {
      if (jsonSchema.pattern === undefined) return
      jsonSchema.pattern = jsonSchema.pattern.replaceAll('\\p{L}', 'A-Za-z\\u0080-\\uffff').replaceAll('\\p{N}', '0-9')
    },
  })
  return schema
}

/** The same schema with the hints in it; the paths that were found go into `used`. */
function hinted(schema: Schema, path: string, hints: Hints, used: Set<string>): Schema {
  const into = (each: Schema | boolean | undefined, step: string) =>
    typeof each === 'object' ? hinted(each, step, hints, used) : each
  const hint = hints[path]
  if (hint !== undefined) used.add(path)
  const { properties, additionalProperties, items, anyOf, ...rest } = schema
  const branches = anyOf?.map(each => hinted(each, path, hints, used))
  const inner = into(additionalProperties, `${path}.*`)
  const item = typeof items === 'object' && !Array.isArray(items) ? into(items, `${path}[]`) : undefined
  return {
    ...(hint !== undefined && { description: hint }),
    ...rest,
    ...(branches !== undefined && { anyOf: branches }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, each]) => [
          name,
          into(each, path === '' ? name : `${path}.${name}`) ?? each,
        ]),
      ),
    }),
    ...(item !== undefined && { items: item }),
    ...(inner !== undefined && { additionalProperties: inner }),
  }
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, '..', 'federation-config', 'schema')
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of editorSchemas()) writeFileSync(join(folder, name), text)
}
