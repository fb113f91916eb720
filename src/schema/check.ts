/** What the form of a mapping cannot say: that its names exist, that its code lists are total both ways, that no column is forgotten. */
import { type Fault, jsonPath } from '#protocol/fault.ts'
import { wordKey } from './codes.ts'
import { isDay } from './date.ts'
import {
  type CodeList,
  columnsOf,
  type Fact,
  type MappingForm,
  type Rule,
  rowColumns,
  type TableForm,
  tableName,
} from './format.ts'
import type { Field, Vocabulary } from './vocabulary.ts'

type Report = (path: readonly PropertyKey[], problem: string, remedy: string) => void

/** Every fault of a mapping whose form is right. */
export function checkMapping(form: MappingForm, vocabulary: Vocabulary, file: string): readonly Fault[] {
  const faults: Fault[] = []
  const report: Report = (path, problem, remedy) => faults.push({ file, path: jsonPath(path), problem, remedy })
  for (const [name, list] of Object.entries(form.codes)) checkList(['codes', name], list, vocabulary, report)
  for (const [name, table] of Object.entries(form.tables)) {
    if (table.table === undefined && !tableName.test(name)) {
      report(['tables', name], 'the name is not that of a database table', 'Add "table" with the name in the database')
    }
    checkTable(['tables', name], table, form, vocabulary, report)
  }
  checkUse(form, report)
  checkShown(form, vocabulary, report)
  return faults
}

/** Total both ways: each local word means codes or is declared to mean none; each shared code has a word or is declared to have none. */
function checkList(path: readonly PropertyKey[], list: CodeList, vocabulary: Vocabulary, report: Report) {
  const set = vocabulary.sets.get(list.set)
  if (set === undefined) {
    report([...path, 'set'], `the vocabulary has no set ${list.set}`, 'Correct the name')
    return
  }
  if ((list.set === 'rating-levels') !== (list.within !== undefined)) {
    report(path, '"within" names the scheme of a list of rating levels, and of no other list', 'Add or remove "within"')
  } else if (list.within !== undefined && !vocabulary.schemes.has(list.within)) {
    report([...path, 'within'], `the vocabulary has no rating scheme ${list.within}`, 'Correct the name')
  }
  const targets = new Set(
    [...set.keys()].filter(code => list.within === undefined || code.startsWith(`${list.within}.`)),
  )
  const words = new Map<string, CodeList['read']>()
  const exact = new Map<string, boolean>()

  for (const [i, entry] of list.read.entries()) {
    const here = [...path, 'read', i]
    checkCodes(here, entry.codes, targets, list.set, report)
    if (entry.relation === 'none' && (entry.codes.length > 0 || entry.reason === undefined)) {
      report(here, 'a word with the relation none has no codes, and a reason', 'State the reason; remove the codes')
    }
    if (entry.relation !== 'none' && entry.codes.length === 0) {
      report(
        here,
        `the words ${entry.words.join(', ')} mean no code`,
        'Add the codes, or the relation none with a reason',
      )
    }
    if (entry.relation === 'exact' && entry.codes.length === 1) {
      const [code = ''] = entry.codes
      const open = entry.validTo === undefined && entry.validFrom === undefined
      if (exact.has(code) && (open || exact.get(code))) {
        report(here, `the code ${code} already has a word that means exactly it`, 'Write both spellings into one entry')
      }
      exact.set(code, open)
    }
    for (const key of new Set(entry.words.map(wordKey))) {
      const others = words.get(key) ?? []
      if (others.some(other => overlap(other, entry))) {
        report(
          [...here, 'words'],
          `the word ${key} has two meanings on one day`,
          'Remove one, or give both their dates',
        )
      }
      words.set(key, [...others, entry])
    }
  }

  if (list.write === 'never') return
  const written = new Set<string>()
  for (const [i, { code, relation, word, reason }] of list.write.entries()) {
    const here = [...path, 'write', i]
    checkCodes(here, [code], targets, list.set, report)
    if (written.has(code)) report(here, `the code ${code} is written twice`, 'Remove one of the entries')
    written.add(code)
    if (exact.has(code)) report(here, `the code ${code} has a word that means exactly it`, 'Remove this entry')
    if (relation === 'exact')
      report(here, 'a word that means exactly this code is not in "read" as such', 'Say it there')
    if (relation === 'none' && (word !== undefined || reason === undefined)) {
      report(here, 'the relation none has no word, and a reason', 'State the reason; remove the word')
    }
    if (relation !== 'none' && (word === undefined || !words.has(wordKey(word)))) {
      report(
        [...here, 'word'],
        'the word to write is none of the words of the list',
        'Use a word that stands in "read"',
      )
    }
  }
  for (const code of targets) {
    if (exact.has(code) || written.has(code)) continue
    const problem = `there is no word for the shared code ${code} (${set.get(code)?.zh})`
    report([...path, 'write'], problem, 'Add the closest word with its relation, or the relation none with a reason')
  }
}

function checkCodes(
  path: readonly PropertyKey[],
  codes: readonly string[],
  targets: ReadonlySet<string>,
  set: string,
  report: Report,
) {
  for (const code of codes) {
    if (!targets.has(code)) report(path, `the set ${set} has no code ${code} here`, 'Correct the code')
  }
}

function overlap(a: CodeList['read'][number], b: CodeList['read'][number]): boolean {
  return (a.validFrom ?? '') <= (b.validTo ?? '9999-12-31') && (b.validFrom ?? '') <= (a.validTo ?? '9999-12-31')
}

function checkTable(
  path: readonly PropertyKey[],
  table: TableForm,
  form: MappingForm,
  vocabulary: Vocabulary,
  report: Report,
) {
  const family = vocabulary.families.get(table.family)
  if (family === undefined) {
    report([...path, 'family'], `the vocabulary has no family ${table.family}`, 'Correct the name')
    return
  }
  for (const [name, rule] of Object.entries(table.fields)) {
    const field = family.fields.get(name)
    const here = [...path, 'fields', name]
    if (field === undefined)
      report(here, `the family ${table.family} has no field ${name}`, 'Correct the name, or remove it')
    else checkRule(here, rule, field, table, form, vocabulary, report)
  }
  for (const [name, { zh }] of family.fields) {
    const mapped = Object.hasOwn(table.fields, name)
    if (!mapped && !Object.hasOwn(table.absent, name)) {
      report(
        [...path, 'fields'],
        `the field ${name} (${zh}) is not mapped`,
        'Map it, or name it under "absent" with the reason',
      )
    }
    if (mapped && Object.hasOwn(table.absent, name))
      report([...path, 'absent', name], 'the field is mapped', 'Remove it here')
  }
  for (const name of Object.keys(table.absent)) {
    if (!family.fields.has(name)) report([...path, 'absent', name], `the family has no field ${name}`, 'Remove it')
  }
  checkColumns(path, table, report)
  checkFact([...path, 'person'], table.person, 'subject-kinds', form, vocabulary, report)
  checkFact([...path, 'level'], table.level, 'share-levels', form, vocabulary, report)
  if (table.performance !== undefined) {
    checkFact([...path, 'performance'], table.performance, 'performance-states', form, vocabulary, report)
  }
  for (const [i, fact] of table.state.entries()) {
    checkFact([...path, 'state', i], fact, 'record-states', form, vocabulary, report)
  }
  for (const name of ['publishedUntil', 'ended'] as const) {
    const rule = table[name]
    if (rule !== undefined) checkShape([...path, name], rule, DAY, report)
  }
  const named = [family.listField, family.schemeField].some(name => table.fields[name ?? '']?.constant !== undefined)
  for (const [i, { column, in: among, notIn, empty }] of table.where.entries()) {
    // A row whose text nobody listed would be of the list or scheme that is left over: that is a guess.
    if (named && notIn !== undefined && !table.state.some(fact => columnsOf(fact).includes(column))) {
      const remedy = `Read ${column} in "state" too, with a list of the words that are meant: any other is undetermined`
      report([...path, 'where', i, 'notIn'], `an unlisted text of ${column} would choose the list or scheme`, remedy)
    }
    if ([among, notIn, empty].filter(member => member !== undefined).length !== 1) {
      report([...path, 'where', i], 'a condition has one of "in", "notIn" and "empty"', 'Keep one of them')
    }
  }
}

const DAY: Field = { name: '', zh: '', en: '', type: 'date', set: undefined, level: 'public', required: false }

/** Every column is read for something or left for a reason: nothing is forgotten, nothing is selected in vain. */
function checkColumns(path: readonly PropertyKey[], table: TableForm, report: Report) {
  const used = new Set([...rowColumns(table), ...table.where.map(({ column }) => column)])
  if (table.freshness !== undefined) used.add(table.freshness.column)
  const named = [
    ...table.key.columns,
    ...('digest' in table.id ? table.id.digest : table.id.columns),
    ...table.where.map(({ column }) => column),
    ...(table.version === undefined ? [] : [table.version]),
    ...(table.freshness === undefined ? [] : [table.freshness.column]),
    ...[...Object.values(table.fields), table.person, table.level, ...table.state].flatMap(columnsOf),
    ...[table.publishedUntil, table.ended, table.performance].flatMap(rule =>
      rule === undefined ? [] : columnsOf(rule),
    ),
  ]
  for (const column of new Set(named)) {
    if (Object.hasOwn(table.ignored, column))
      report([...path, 'ignored', column], 'the column is read', 'Remove it here')
    if (!Object.hasOwn(table.columns, column)) {
      report([...path, 'columns'], `the column ${column} has no label`, 'Add it with its Chinese label')
    }
  }
  for (const column of Object.keys(table.columns)) {
    if (!used.has(column) && !Object.hasOwn(table.ignored, column)) {
      report(
        [...path, 'columns', column],
        'nothing reads the column',
        'Map it, or move it to "ignored" with the reason',
      )
    }
  }
}

function checkFact(
  path: readonly PropertyKey[],
  fact: Fact,
  set: string,
  form: MappingForm,
  vocabulary: Vocabulary,
  report: Report,
) {
  if ('constant' in fact) {
    if (!vocabulary.sets.get(set)?.has(fact.constant)) {
      report([...path, 'constant'], `the set ${set} has no code ${fact.constant}`, 'Correct the code')
    }
    if (fact.constant === 'person') {
      report([...path, 'constant'], 'a table about persons is not mapped at all', 'Remove the table')
    }
    return
  }
  const list = form.codes[fact.codes]
  if (list === undefined) report([...path, 'codes'], `there is no code list ${fact.codes}`, 'Correct the name')
  else if (list.set !== set)
    report([...path, 'codes'], `the list is of the set ${list.set}, not ${set}`, 'Use another list')
  else if (fact.default !== undefined && !hasWord(list, fact.default)) {
    report([...path, 'default'], `the word ${fact.default} is not in the list`, 'Use a word of the list')
  } else if (list.read.some(({ validFrom, validTo }) => validFrom !== undefined || validTo !== undefined)) {
    report(
      [...path, 'codes'],
      'the list has dated words, and nothing says which date counts',
      'Use a list without dates',
    )
  }
}

function hasWord(list: CodeList, word: string): boolean {
  return list.read.some(({ words }) => words.some(one => wordKey(one) === wordKey(word)))
}

function checkRule(
  path: readonly PropertyKey[],
  rule: Rule,
  field: Field,
  table: TableForm,
  form: MappingForm,
  vocabulary: Vocabulary,
  report: Report,
) {
  checkShape(path, rule, field, report)
  const set = vocabulary.sets.get(field.set ?? '')
  const coded = field.type === 'code' || field.type === 'codes'
  if (coded && rule.constant !== undefined && !set?.has(rule.constant)) {
    report([...path, 'constant'], `the set ${field.set} has no code ${rule.constant}`, 'Correct the code')
  }
  if (!coded && rule.constant !== undefined && field.type !== 'text') {
    report([...path, 'constant'], `a field of type ${field.type} has no constant`, 'Name a column')
  }
  if (rule.asOf !== undefined && !Object.hasOwn(table.fields, rule.asOf)) {
    report([...path, 'asOf'], `the field ${rule.asOf} is not mapped`, 'Name a date field of this table')
  }
  if (!coded || rule.codes === undefined) return
  const lists = typeof rule.codes === 'string' ? { '': rule.codes } : rule.codes.lists
  for (const [key, name] of Object.entries(lists)) {
    const list = form.codes[name]
    const here = typeof rule.codes === 'string' ? [...path, 'codes'] : [...path, 'codes', 'lists', key]
    if (list === undefined) {
      report(here, `there is no code list ${name}`, 'Correct the name')
      continue
    }
    if (list.set !== field.set) report(here, `the list is of the set ${list.set}, not ${field.set}`, 'Use another list')
    if (list.write === 'never') report(here, 'a list of a field is also written', 'Give "write" its entries')
    if (key !== '' && list.set === 'rating-levels' && list.within !== key) {
      report(here, `the list has the levels of ${list.within}, not of ${key}`, 'Use another list')
    }
    if (field.type === 'code' && list.read.some(isSeveral)) {
      report(
        here,
        `a word of the list means several codes at once, and ${field.name} has room for one`,
        'Use another relation',
      )
    }
    if (
      rule.asOf === undefined &&
      list.read.some(entry => entry.validFrom !== undefined || entry.validTo !== undefined)
    ) {
      report(here, 'the list has dated words, and nothing says which date counts', 'Add "asOf" with a date field')
    }
    if (rule.default !== undefined && !hasWord(list, rule.default)) {
      report([...path, 'default'], `the word ${rule.default} is not in the list ${name}`, 'Use a word of the list')
    }
  }
  if (typeof rule.codes !== 'string') checkChoice(path, rule.codes, table, form, report)
}

function isSeveral({ relation, codes }: CodeList['read'][number]): boolean {
  return (relation === 'exact' || relation === 'narrower') && codes.length > 1
}

/** Where one field chooses the list of another, each code that it can have has its list. */
function checkChoice(
  path: readonly PropertyKey[],
  { by, lists }: { readonly by: string; readonly lists: Readonly<Record<string, string>> },
  table: TableForm,
  form: MappingForm,
  report: Report,
) {
  const chooser = table.fields[by]
  if (chooser === undefined || typeof chooser.codes === 'object') {
    report(
      [...path, 'codes', 'by'],
      `the field ${by} is not mapped, or is itself chosen by another`,
      'Name a coded field',
    )
    return
  }
  const list = chooser.codes === undefined ? undefined : form.codes[chooser.codes]
  const possible = new Set([
    ...(list?.read.flatMap(({ codes }) => codes) ?? []),
    ...(chooser.constant ? [chooser.constant] : []),
  ])
  for (const code of possible) {
    if (!Object.hasOwn(lists, code))
      report([...path, 'codes', 'lists'], `there is no list for ${by} ${code}`, 'Add its list')
  }
  for (const code of Object.keys(lists)) {
    if (!possible.has(code))
      report([...path, 'codes', 'lists', code], `the field ${by} never is ${code}`, 'Remove the list')
  }
}

/** Which members a rule may have follows from the type of its field. */
function checkShape(path: readonly PropertyKey[], rule: Rule, field: Field, report: Report) {
  const { column, columns, constant } = rule
  if ([column, columns, constant].filter(member => member !== undefined).length !== 1) {
    report(path, 'a rule has one of "column", "columns" and "constant"', 'Keep one of them')
  }
  if ((columns === undefined) !== (rule.take === undefined)) {
    report(path, '"take" says what is done with several columns', 'Give "columns" and "take" together')
  }
  const coded = field.type === 'code' || field.type === 'codes'
  if (rule.take === 'all' && (field.type !== 'codes' || rule.split === undefined)) {
    report([...path, 'take'], '"all" is for a field of several codes, with "split"', 'Use "first" or "join"')
  }
  if (rule.take === 'join' && field.type !== 'text') {
    report([...path, 'take'], '"join" is for text', 'Use "first"')
  }
  if (rule.split !== undefined && field.type !== 'codes') {
    report([...path, 'split'], 'only a field of several codes is split', 'Remove it')
  }
  if (coded && constant === undefined && rule.codes === undefined) {
    report(path, 'a coded field names its list', 'Add "codes"')
  }
  if (!coded && rule.codes !== undefined) report([...path, 'codes'], 'the field is not coded', 'Remove it')
  if (field.type === 'money' && rule.unit === undefined && constant === undefined) {
    report(path, 'an amount has a unit', 'Add "unit": yuan or 10000-yuan')
  }
  if (field.type !== 'money' && (rule.unit !== undefined || rule.currency !== undefined)) {
    report(path, 'the field is no amount', 'Remove "unit" and "currency"')
  }
  if (field.type !== 'date' && rule.dates !== undefined) report([...path, 'dates'], 'the field is no date', 'Remove it')
  if (field.type !== 'text' && rule.spelling !== undefined) {
    report([...path, 'spelling'], 'only a text has a spelling of its own', 'Remove it')
  }
  for (const word of rule.dates?.none ?? []) {
    if (rule.dates?.indefinite.includes(word)) {
      report(
        [...path, 'dates', 'none'],
        `${word} also means indefinite`,
        isDay(word) ? 'Remove the day from one' : 'Remove it from one',
      )
    }
  }
}

/** A list that nothing uses is a mistake of spelling more often than not. */
function checkUse(form: MappingForm, report: Report) {
  const used = new Set<string>()
  for (const table of Object.values(form.tables)) {
    for (const fact of [table.person, table.level, ...table.state, table.performance]) {
      if (fact !== undefined && 'codes' in fact) used.add(fact.codes)
    }
    for (const { codes } of Object.values(table.fields)) {
      if (typeof codes === 'string') used.add(codes)
      else for (const name of Object.values(codes?.lists ?? {})) used.add(name)
    }
  }
  for (const name of Object.keys(form.codes)) {
    if (!used.has(name)) report(['codes', name], 'no table uses the list', 'Use it, or remove it')
  }
}

/** Each family is shown: one of its tables takes what no other takes, or it is said why some records are shown in none. */
function checkShown(form: MappingForm, vocabulary: Vocabulary, report: Report) {
  for (const family of vocabulary.families.keys()) {
    const tables = Object.entries(form.tables).filter(([, table]) => table.family === family)
    const always = tables.filter(([, { shows }]) => shows === true)
    if (always.length === 0 && !Object.hasOwn(form.unshown, family)) {
      const remedy = `Set "shows" to true in one table, or name ${family} under "unshown" with the reason`
      report(['tables'], `no table takes every foreign record of the family ${family}`, remedy)
    }
    if (always.length > 0 && Object.hasOwn(form.unshown, family)) {
      report(['unshown', family], `the table ${always[0]?.[0]} shows every record of it`, 'Remove it here')
    }
    for (const [name, { shows }] of tables.slice(tables.findIndex(([, table]) => table.shows === true) + 1)) {
      if (always.length > 0 && shows !== false) {
        report(
          ['tables', name, 'shows'],
          `the table ${always[0]?.[0]} before it takes every record`,
          'Set it to false, or move it',
        )
      }
    }
  }
  for (const family of Object.keys(form.unshown)) {
    if (!vocabulary.families.has(family))
      report(['unshown', family], 'the vocabulary has no such family', 'Correct the name')
  }
  for (const [name, { shows, family }] of Object.entries(form.tables)) {
    if (typeof shows !== 'object') continue
    const set = vocabulary.sets.get(vocabulary.families.get(family)?.fields.get(shows.field)?.set ?? '')
    for (const code of shows.codes) {
      if (!set?.has(code)) {
        report(
          ['tables', name, 'shows'],
          `the field ${shows.field} has no code ${code}`,
          'Correct the field or the code',
        )
      }
    }
  }
}
