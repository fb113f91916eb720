/** A department's key opens exactly its own door, for as long as it was issued, and stands nowhere but with the department. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '#protocol/canonical.ts'
import { Refusal } from '#protocol/refusal.ts'
import { type Departments, issueKey, openDepartments, readDepartments, withdrawKey } from '#trust/departments.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-departments-'))
const path = join(folder, 'departments.json')
beforeEach(() => rmSync(path, { force: true }))
afterAll(() => rmSync(folder, { recursive: true }))

const NOW = Date.UTC(2026, 4, 20, 8)
const DAY = 86_400_000
let changes = 0
/** Gives the file a time of its own: changes made by hand are seconds apart, those of a test are not. */
function later<T>(changed: T): T {
  changes++
  utimesSync(path, NOW / 1000, NOW / 1000 + changes)
  return changed
}
const issue = (id: string, days = 30, name = '市场监督管理局') =>
  later(issueKey(path, { id, name, purposes: ['tendering', 'licensing'], days }, NOW))
const withdraw = (id: string) => later(withdrawKey(path, id))
const secretOf = (key: string) => key.slice(-43)

function outcome(departments: Departments, key: string | undefined, now = NOW): string {
  try {
    return departments.find(key, now).id
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

describe('a key', () => {
  it('finds its department, with the name and the purposes it was issued for', () => {
    const key = issue('samr')
    expect(openDepartments(path).find(key, NOW)).toEqual({
      id: 'samr',
      name: '市场监督管理局',
      purposes: ['tendering', 'licensing'],
      issuedAt: '2026-05-20T08:00:00.000Z',
      expiresAt: '2026-06-19T08:00:00.000Z',
      digest: sha256(secretOf(key)),
    })
  })

  it('is kept as a digest alone, in a file that nobody else may read, and nothing is left beside it', () => {
    const key = issue('samr')
    expect(readFileSync(path, 'utf8')).not.toContain(secretOf(key))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['departments.json'])
  })

  it('is another one every time', () => {
    expect(new Set(Array.from({ length: 20 }, () => secretOf(issue('samr')))).size).toBe(20)
  })

  it('holds until its end and not at it', () => {
    const departments = openDepartments(path)
    const key = issue('samr', 30)
    expect(outcome(departments, key, NOW + 30 * DAY - 1)).toBe('samr')
    expect(outcome(departments, key, NOW + 30 * DAY)).toBe('department.key')
  })

  it('of one department is none of another, nor of one that there is not', () => {
    const departments = openDepartments(path)
    const [samr, tax] = [issue('samr'), issue('tax')]
    expect(outcome(departments, samr)).toBe('samr')
    expect(outcome(departments, tax)).toBe('tax')
    expect(outcome(departments, `xq_tax_${secretOf(samr)}`)).toBe('department.key')
    expect(outcome(departments, `xq_court_${secretOf(samr)}`)).toBe('department.key')
    expect(outcome(departments, `xq_samr_${sha256(secretOf(samr))}`)).toBe('department.key')
  })

  it.each([
    ['nothing', () => undefined],
    ['an empty text', () => ''],
    ['a word in front', (key: string) => `Bearer ${key}`],
    ['a blank behind', (key: string) => `${key} `],
    ['a line feed behind', (key: string) => `${key}\n`],
    ['a character less', (key: string) => key.slice(0, -1)],
    ['a character more', (key: string) => `${key}A`],
    ['another mark', (key: string) => key.replace('xq_', 'yq_')],
    ['the mark in capitals', (key: string) => key.replace('xq_', 'XQ_')],
    ['the department in capitals', (key: string) => key.replace('samr', 'SAMR')],
    ['the secret alone', (key: string) => secretOf(key)],
    ['a character that no key has', (key: string) => `${key.slice(0, -1)}=`],
  ])('that was changed is none: %s', (_, changed) => {
    const departments = openDepartments(path)
    const key = issue('samr')
    expect(outcome(departments, key)).toBe('samr')
    expect(outcome(departments, changed(key))).toBe('department.key')
  })

  it('is for a department by any lawful id, the longest and the shortest', () => {
    const departments = openDepartments(path)
    for (const id of ['a', '9', 'a.b-C3', `a${'b'.repeat(63)}`]) expect(outcome(departments, issue(id))).toBe(id)
    expect(() => issue(`a${'b'.repeat(64)}`)).toThrow()
    expect(() => issue('a_b')).toThrow()
  })
})

describe('without a restart', () => {
  it('a key is taken from the moment it is issued, also the first one of all', () => {
    const departments = openDepartments(path)
    expect(outcome(departments, `xq_samr_${'A'.repeat(43)}`)).toBe('department.key')
    expect(outcome(departments, issue('samr'))).toBe('samr')
    expect(outcome(departments, issue('tax'))).toBe('tax')
  })

  it('a new key takes the place of the department’s old one, and of no other’s', () => {
    const departments = openDepartments(path)
    const [tax, old] = [issue('tax'), issue('samr')]
    const fresh = issue('samr')
    expect(readDepartments(path).map(({ id }) => id)).toEqual(['tax', 'samr'])
    expect([old, fresh, tax].map(key => outcome(departments, key))).toEqual(['department.key', 'samr', 'tax'])
  })

  it('a key that is withdrawn is none any more, and the others stay', () => {
    const [samr, tax] = [issue('samr'), issue('tax')]
    const departments = openDepartments(path)
    expect(outcome(departments, samr)).toBe('samr')
    expect(withdraw('samr')).toBe(true)
    expect(withdraw('samr')).toBe(false)
    expect([samr, tax].map(key => outcome(departments, key))).toEqual(['department.key', 'tax'])
  })

  it('no key is left when the file is taken away', () => {
    const key = issue('samr')
    const departments = openDepartments(path)
    expect(outcome(departments, key)).toBe('samr')
    rmSync(path)
    expect(outcome(departments, key)).toBe('department.key')
    expect(readDepartments(path)).toEqual([])
  })
})

describe('a file of departments', () => {
  const good = () => {
    issue('samr')
    const [department] = readDepartments(path)
    return department
  }

  it.each([
    ['an id that is none', { id: 'A b' }],
    ['no name', { name: '' }],
    ['a name of a hundred and one characters', { name: '局'.repeat(101) }],
    ['no purpose', { purposes: [] }],
    ['a purpose that is no code', { purposes: ['Tendering!'] }],
    ['a day in place of an instant', { expiresAt: '2026-06-19' }],
    ['no end', { expiresAt: undefined }],
    ['an instant of issue that is none', { issuedAt: 'yesterday' }],
    ['a digest too short', { digest: 'A'.repeat(42) }],
    ['a digest too long', { digest: 'A'.repeat(44) }],
    ['a member that has no place', { secret: 'A'.repeat(43) }],
  ])('with %s is not believed in any part', (_, over) => {
    const department = good()
    writeFileSync(path, JSON.stringify([department]))
    expect(readDepartments(path)).toEqual([department])
    writeFileSync(path, JSON.stringify([department, { ...department, ...over }]))
    expect(() => readDepartments(path)).toThrow()
  })

  it('takes a name of a hundred characters', () => {
    expect(outcome(openDepartments(path), issue('samr', 1, '局'.repeat(100)))).toBe('samr')
  })

  it('is not touched by a key that cannot be issued', () => {
    expect(() => issue('samr', 30, '')).toThrow()
    expect(existsSync(path)).toBe(false)
  })
})
