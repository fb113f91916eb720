import { Decimal } from 'decimal.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Value } from '#protocol/message.ts'
import { dayReader, dayWriter, instantReader, isDay } from '#schema/date.ts'
import { dateFormats } from '#schema/format.ts'
import { amountIn, amountOut } from '#schema/money.ts'

const all = {
  formats: [...dateFormats],
  none: ['1900-01-01', '1899-12-31', '无'],
  indefinite: ['2099/12/31', '9999-09-09', '长期'],
}

describe('a date', () => {
  const read = dayReader(all)

  test.each([
    ['2020/03/16', '2020-03-16'],
    ['20200316', '2020-03-16'],
    ['2019-9-4', '2019-09-04'],
    ['2019-09-04 13:01:59', '2019-09-04'],
    ['2019-09-04T13:01:59', '2019-09-04'],
    ['2098-12-31 00:00;00', '2098-12-31'],
    ['2020年3月6日', '2020-03-06'],
    ['2024-02-29', '2024-02-29'],
    ['20240229093000', '2024-02-29'],
  ])('%s is read as %s', (text, day) => {
    expect(read(text)).toBe(day)
  })

  test.each(['2099/12/31', '长期', '9999-9-9', '9999-09-09', '99990909'])('%s is indefinite', text => {
    expect(read(text)).toBe('indefinite')
  })

  test.each(['1900-1-1', '1899-12-31', '1900/01/01', '无'])('%s means none', text => {
    expect(read(text)).toBeNull()
  })

  test.each([
    '2023-02-29',
    '2020-13-01',
    '2020-00-10',
    '2020-1-32',
    '2019-9-123',
    '无处罚期限',
    '2020',
    '20-01-01',
    '２０２０-01-01',
    '2020-01-01x',
  ])('%s is no date, and not guessed at', text => {
    expect(read(text)).toBeUndefined()
  })

  test('of any day comes back from every format', () => {
    const days = fc
      .date({ min: new Date('1850-01-01'), max: new Date('2098-12-31'), noInvalidDate: true })
      .map(date => date.toISOString().slice(0, 10))
    fc.assert(
      fc.property(days, fc.constantFrom(...dateFormats), (day, format) => {
        const dates = { formats: [format], none: [], indefinite: ['2099/12/31'] }
        expect(dayReader(dates)(dayWriter(dates)(day) ?? '')).toBe(day)
      }),
      { numRuns: 2_000 },
    )
  })

  test('is a day exactly where the calendar has one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 9999 }),
        fc.integer({ min: 0, max: 13 }),
        fc.integer({ min: 0, max: 32 }),
        (y, m, d) => {
          const text = `${y}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}`
          const real = new Date(`${text}T00:00:00Z`)
          expect(isDay(text)).toBe(!Number.isNaN(real.getTime()) && real.toISOString().startsWith(text))
        },
      ),
      { numRuns: 5_000 },
    )
  })

  test('indefinite is written in the city’s own word, or not at all', () => {
    expect(dayWriter(all)('indefinite')).toBe('2099/12/31')
    expect(dayWriter({ formats: ['YYYYMMDD'], none: [], indefinite: ['2099-12-31'] })('indefinite')).toBe('20991231')
    expect(dayWriter({ formats: ['YYYYMMDD'], none: [], indefinite: [] })('indefinite')).toBeUndefined()
  })

  test('of supply is an instant in China’s time', () => {
    expect(instantReader('YYYY/MM/DD')('2026/03/16')).toBe('2026-03-15T16:00:00.000Z')
    expect(instantReader('YYYY-MM-DD *')('2026-03-16 08:30:00')).toBe('2026-03-16T00:30:00.000Z')
    expect(instantReader('YYYY/MM/DD')('soon')).toBeUndefined()
    expect(instantReader('YYYY-MM-DD *')('2026-03-16 25:30:00')).toBeUndefined()
  })
})

describe('an amount', () => {
  test.each<[string, 'yuan' | '10000-yuan', string | undefined]>([
    ['50000', 'yuan', '50000'],
    ['50000.00', 'yuan', '50000'],
    ['0.1', 'yuan', '0.1'],
    ['1,234,567.89', 'yuan', '1234567.89'],
    ['1.5', '10000-yuan', '15000'],
    ['0.123456', '10000-yuan', '1234.56'],
    ['0.000001', '10000-yuan', '0.01'],
    ['-0', 'yuan', '0'],
    ['999999999999999999', 'yuan', '999999999999999999'],
    ['999999999999999999', '10000-yuan', undefined],
    ['0.0000001', 'yuan', undefined],
    ['5万元', 'yuan', undefined],
    ['1e5', 'yuan', undefined],
    ['12,34', 'yuan', undefined],
    ['NaN', 'yuan', undefined],
  ])('%s in %s is %s', (text, unit, yuan) => {
    expect(amountIn(text, unit)).toBe(yuan)
  })

  test('never loses a digit on the way to the other unit and back', () => {
    const digits = fc
      .tuple(fc.bigInt({ min: 0n, max: 10n ** 13n - 1n }), fc.integer({ min: 0, max: 999_999 }))
      .map(([whole, part]) => `${whole}.${String(part).padStart(6, '0')}`)
    fc.assert(
      fc.property(digits, text => {
        const yuan = amountIn(text, '10000-yuan') ?? ''
        expect(Value.safeParse({ amount: yuan, currency: 'CNY', unit: '1' }).success).toBe(true)
        expect(new Decimal(amountOut(yuan, '10000-yuan') ?? '').equals(new Decimal(text))).toBe(true)
        const inYuan = amountIn(text, 'yuan') ?? ''
        expect(amountIn(amountOut(inYuan, '10000-yuan') ?? '', '10000-yuan')).toBe(inYuan)
      }),
      { numRuns: 2_000 },
    )
  })
})
