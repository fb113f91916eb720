/** Accounts, cards, telephones and documents of persons are found by their form or by the word beside them; the code of a firm and the number of a decision stay. */
import { Refusal } from '#protocol/refusal.ts'
import { readSubject } from '#protocol/subject.ts'

const DIGIT = '[0-9０-９\\u{1d7ce}-\\u{1d7ff}]'
const BETWEEN = '[ \\t\\u00a0\\u3000\\-\\u2010-\\u2015－]{0,2}'
const digits = (least: number, most: number) => `(?:${DIGIT}${BETWEEN}){${least - 1},${most - 1}}${DIGIT}`
const NOT_AFTER_DIGIT = `(?<!${DIGIT})`
const NOT_BEFORE_DIGIT = `(?!${DIGIT})`

/** What is a number of a person or an account wherever it stands; only digits and letters of group 2 go. */
const certain: readonly RegExp[] = [
  new RegExp(
    `((?:[账帐賬帳][号户號戶]|开户行|開戶行|卡号|银行卡|銀行卡|卡號|account|a/c)[^0-9０-９]{0,24}?)(${digits(8, 30)})`,
    'giu',
  ),
  new RegExp(
    `((?:电话|電話|致电|致電|来电|來電|拨打|撥打|座机|座機|手机|手機|联系|聯繫|聯絡|传真|傳真|热线|熱線|微信|tel|phone|mobile|fax)[^0-9０-９]{0,12}?)(${digits(7, 13)})`,
    'giu',
  ),
  new RegExp(
    `((?:身份证|身份證|护照|護照|通行证|通行證|居留证|居留證|证件|證件)[^0-9０-９A-Za-z]{0,12}?)([A-Za-z]{0,2}${digits(6, 18)}[XxＸｘ]?)`,
    'gu',
  ),
  // Cards of the national scheme (GB/T 15694): 62 and 14 to 17 more, their check digit right or not.
  new RegExp(`()${NOT_AFTER_DIGIT}([6６]${BETWEEN}[2２]${BETWEEN}${digits(14, 17)})${NOT_BEFORE_DIGIT}`, 'gu'),
  // A telephone by its area code: 0512-58281234, (0752) 280 1234.
  new RegExp(
    `()${NOT_AFTER_DIGIT}([0０]${DIGIT}{2,3}[)）\\-\\u2010-\\u2015－ \\u3000]{1,2}${DIGIT}${digits(6, 7)})${NOT_BEFORE_DIGIT}`,
    'gu',
  ),
  // Or of a country: +86 512 5828 1234.
  new RegExp(`([+＋]${BETWEEN})(${digits(10, 14)})${NOT_BEFORE_DIGIT}`, 'gu'),
]

/** Neither part of a longer word nor of the number of a decision, a licence or a case. */
const LONE = '(?<![0-9０-９A-Za-z]|[第字编文证證书書案]号?[:：为]?\\s?|[号號〕\\]】][:：为]?\\s?)'
const UNNUMBERED = '(?![0-9０-９A-Za-z号號]|\\s?[元万萬亿億]|[.．][0-9０-９])'
const BANKING =
  '(?:[账帐賬帳卡]|(?<![工商客用农農住业業])[户戶]|银行|銀行|信用社|汇款|匯款|转账|轉賬|打款|支付宝|支付寶)'
/** A number by itself that has the form of an account or a telephone. */
const likely: readonly { readonly form: RegExp; readonly is: (number: string) => boolean }[] = [
  // ISO/IEC 7812, annex B.
  { form: new RegExp(`()${LONE}(${digits(16, 19)})${UNNUMBERED}`, 'gu'), is: passesLuhn },
  {
    form: new RegExp(
      `(${BANKING}(?:(?![证證文编編]号|字第|代码|代碼)[^0-9０-９。；;]){0,12}?)(${digits(9, 30)})${UNNUMBERED}`,
      'gu',
    ),
    is: isAccount,
  },
  { form: new RegExp(`()${LONE}(${digits(9, 30)})(?=[^0-9０-９。；;]{0,6}${BANKING})`, 'gu'), is: isAccount },
  { form: new RegExp(`()${LONE}([0０]${digits(9, 11)})${UNNUMBERED}`, 'gu'), is: isLandline },
]

/** The text with numbers of persons and accounts as asterisks, one for one; what a word says to be one is one, whatever else it may be. */
export function hideNumbers(text: string): string {
  return certain.reduce(
    (hidden, form) =>
      hidden.replace(
        form,
        starred(() => true),
      ),
    text,
  )
}

/** The text with what is most likely one as well; not for a field that holds nothing but the number of a document. */
export function hideLikelyNumbers(text: string): string {
  return likely.reduce((hidden, { form, is }) => hidden.replace(form, starred(is)), text)
}

function starred(is: (number: string) => boolean) {
  return (all: string, before: string, found: string) => {
    const plain = found.normalize('NFKC').replace(/[^0-9A-Za-z]/g, '')
    return is(plain) ? before + found.replace(/[0-9０-９A-Za-zＸｘ]|[\u{1d7ce}-\u{1d7ff}]/gu, '*') : all
  }
}

/** The number of a bank account: of nine digits and more, and no unified code. */
function isAccount(number: string): boolean {
  return isNoCode(number)
}

function passesLuhn(number: string): boolean {
  let sum = 0
  for (let i = 0; i < number.length; i++) {
    const digit = Number(number[number.length - 1 - i])
    sum += i % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2
  }
  return sum % 10 === 0 && isNoCode(number)
}

/** A telephone with its area code, as 0512 and 58281234: no local number begins with 0, 1 or 9. */
function isLandline(number: string): boolean {
  return /^0(?:10|2[0-57-9])[2-8][0-9]{7}$|^0[3-9][0-9]{2}[2-8][0-9]{6,7}$/.test(number)
}

/** Offices, institutions, societies and foundations, firms, individual businesses and co-operatives. */
const REGISTERED = /^(?:1[1-39]|5[1-39]|9[1-3])/

/** Whether it is other than a unified social credit code (GB 32100). */
function isNoCode(number: string): boolean {
  if (number.length !== 18 || !REGISTERED.test(number)) return true
  try {
    readSubject(number)
    return false
  } catch (error) {
    return !(error instanceof Refusal && error.code === 'subject.kind')
  }
}
