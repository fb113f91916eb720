/** A refusal is a value from one closed table: what the other side may read, and, apart from it, what only our log may hold. */

type Row = {
  /** HTTP status of the response that carries it (RFC 9110). */
  readonly status: 400 | 401 | 403 | 404 | 408 | 413 | 415 | 421 | 429 | 500 | 502 | 503 | 504
  readonly zh: string
  readonly en: string
  /** What the operator of this gateway can do about it. Never sent to a peer. */
  readonly hint: string
}

/**
 * Every reason this gateway can give, grouped by the stage that gives it. `form` and `token` are told to strangers in a
 * plain problem document; everything else reaches only a verified peer, a department or the operator.
 */
export const refusals = {
  'form.size': {
    status: 413,
    zh: '报文超过允许的大小',
    en: 'The message is larger than allowed.',
    hint: 'Limits stand in docs/protocol.md, section Limits.',
  },
  'form.slow': {
    status: 408,
    zh: '报文未在规定时间内到达',
    en: 'The message did not arrive in time.',
    hint: 'The caller, or a device on the way, stalls while it sends.',
  },
  'form.media-type': {
    status: 415,
    zh: '媒体类型不符',
    en: 'The media type is not the one this endpoint takes.',
    hint: 'A question is application/credit-query+jwt.',
  },
  'form.compact': {
    status: 400,
    zh: '不是紧凑格式的报文',
    en: 'The message is not in compact form.',
    hint: 'Three parts of base64url, five where sealed, dots between, nothing else (RFC 7515 and 7516 section 7.1).',
  },
  'form.base64': {
    status: 400,
    zh: 'base64url 编码不规范',
    en: 'The base64url is not canonical.',
    hint: 'No padding, no spaces, unused bits zero (RFC 4648 section 3.5).',
  },
  'form.json': {
    status: 400,
    zh: 'JSON 格式错误',
    en: 'The JSON is not well formed, or nests too deep.',
    hint: 'UTF-8 without a byte order mark, an object at the top, depth at most 12.',
  },
  'form.duplicate': {
    status: 400,
    zh: 'JSON 成员重复',
    en: 'A JSON object has the same member twice.',
    hint: 'RFC 8725bis: a duplicate member lets two readers see two messages.',
  },
  'token.header': {
    status: 401,
    zh: '报文头不符合规定',
    en: 'The header is not exactly alg, kid, typ and x5t#S256.',
    hint: 'jku, x5u, jwk, crit, zip and b64 are never accepted.',
  },
  'token.algorithm': {
    status: 401,
    zh: '签名算法不被接受',
    en: 'The signature algorithm is not accepted.',
    hint: 'The algorithm is fixed by the key; none is never accepted.',
  },
  'token.type': {
    status: 401,
    zh: '报文类型不符',
    en: 'The message type (typ) is not the one expected here.',
    hint: 'Each kind of message has its own typ.',
  },
  'token.issuer': {
    status: 401,
    zh: '发出方不是联盟成员',
    en: 'The issuer is missing or is not a member.',
    hint: 'Compare iss with federation-config/members.',
  },
  'token.signature': {
    status: 401,
    zh: '签名无法由该成员的密钥验证',
    en: 'The signature does not verify with a key of the issuer.',
    hint: 'The kid is unknown, belongs to another member, or the message was changed.',
  },
  'token.certificate': {
    status: 401,
    zh: '签名证书不被接受',
    en: 'The certificate of the signing key is not accepted.',
    hint: 'The log names the certificate and the reason; renew it or load its CRL.',
  },
  'token.transport': {
    status: 401,
    zh: '连接证书与发出方不一致',
    en: 'The connection was made by another city than the issuer.',
    hint: 'The TLS client certificate and iss must name the same city.',
  },
  'token.claims': {
    status: 400,
    zh: '声明缺失或格式不符',
    en: 'A claim is missing, unknown or of the wrong form.',
    hint: 'The claims stand in docs/protocol.md; the log names the one at fault.',
  },
  'token.audience': {
    status: 401,
    zh: '报文不是发给本市的',
    en: 'The message is not addressed to this city.',
    hint: 'aud is one string: the id of the city that is asked.',
  },
  'token.expired': {
    status: 401,
    zh: '报文已过期',
    en: 'The message has expired.',
    hint: 'Compare both clocks; more than 10 s apart is too much.',
  },
  'token.future': {
    status: 401,
    zh: '报文时间在未来',
    en: 'The message comes from the future.',
    hint: 'Compare both clocks; more than 10 s apart is too much.',
  },
  'token.window': {
    status: 401,
    zh: '有效时间过长',
    en: 'The message is valid for too long.',
    hint: 'exp is at most 300 s after iat.',
  },
  'token.replayed': {
    status: 401,
    zh: '报文重复',
    en: 'This message was already received.',
    hint: 'A question is answered once; a new question needs a new jti.',
  },
  'token.sealed': {
    status: 401,
    zh: '加密报文无法打开或不符合约定',
    en: 'The encrypted layer cannot be opened, or is not as agreed.',
    hint: 'Sealed for an encryption key that is not ours now, or not ECDH-ES with A256GCM around one signed message; the log says which.',
  },
  'load.busy': {
    status: 503,
    zh: '系统繁忙，请稍后再试',
    en: 'Too many questions at once; ask again later.',
    hint: 'Lasting for minutes: more cores, or another gateway on the same ledger.',
  },
  'load.rate': {
    status: 429,
    zh: '超出协议约定的频率或数量',
    en: 'The rate or the quota of the agreement is used up.',
    hint: 'The quota stands in the agreement; both parties sign a change.',
  },
  'agreement.unknown': {
    status: 403,
    zh: '没有这样的协议',
    en: 'There is no such agreement between the two cities.',
    hint: 'The peer names an agreement that is not in federation-config/agreements.',
  },
  'agreement.digest': {
    status: 403,
    zh: '协议文本不一致',
    en: 'The agreement of that name has another text here.',
    hint: 'One side has a newer version; compare `xinqiao agreement verify` on both.',
  },
  'agreement.not-yet': {
    status: 403,
    zh: '协议尚未生效',
    en: 'The agreement is not yet in force.',
    hint: 'validFrom is a day in Asia/Shanghai.',
  },
  'agreement.expired': {
    status: 403,
    zh: '协议已到期',
    en: 'The agreement is no longer in force.',
    hint: 'Sign a renewed agreement and load it on both sides.',
  },
  'agreement.confidential': {
    status: 403,
    zh: '协议要求加密而报文未加密，或协议未要求而报文已加密',
    en: 'The agreement demands encryption and the message came without it, or the reverse.',
    hint: 'The agreement says `confidential` or does not; both sides send accordingly.',
  },
  'agreement.purpose': {
    status: 403,
    zh: '协议未约定该查询目的',
    en: 'The agreement does not provide for this purpose.',
    hint: '`xinqiao check` prints who may see which field for what purpose.',
  },
  'agreement.family': {
    status: 403,
    zh: '协议未约定该类信息',
    en: 'The agreement does not provide for this family of records for this purpose.',
    hint: '`xinqiao check` prints who may see which field for what purpose.',
  },
  'agreement.field': {
    status: 403,
    zh: '协议未约定该字段',
    en: 'The agreement does not provide for this field.',
    hint: '`xinqiao check` prints who may see which field for what purpose.',
  },
  'agreement.list': {
    status: 403,
    zh: '协议未约定该名单',
    en: 'The agreement does not provide for this list.',
    hint: 'Lists are named in the grant of the agreement.',
  },
  'agreement.scheme': {
    status: 403,
    zh: '协议未约定该评价体系',
    en: 'The agreement does not provide for this rating scheme.',
    hint: 'Schemes are named in the grant of the agreement.',
  },
  'agreement.share-level': {
    status: 403,
    zh: '该信息的共享级别高于协议约定',
    en: 'The share level of the record or field is above what the agreement provides for.',
    hint: 'Levels rise: public, government, authorised.',
  },
  'query.purpose': {
    status: 400,
    zh: '查询目的不在共同词汇表中',
    en: 'The purpose is not in the shared vocabulary.',
    hint: 'Purposes stand in federation-config/vocabulary.',
  },
  'query.want': {
    status: 400,
    zh: '所请求的类别或字段不在共同词汇表中',
    en: 'A family or field asked for is not in the shared vocabulary.',
    hint: 'Families and fields stand in federation-config/vocabulary.',
  },
  'query.matter': {
    status: 400,
    zh: '查询事由缺失或含有个人信息',
    en: 'The matter is missing, or holds what looks like personal data.',
    hint: 'The matter is the file number of the case that triggers the check, never a person.',
  },
  'query.subjects': {
    status: 400,
    zh: '一次查询 1 至 100 个主体',
    en: 'A question is about 1 to 100 subjects.',
    hint: 'Split the batch.',
  },
  'subject.malformed': {
    status: 400,
    zh: '统一社会信用代码格式错误',
    en: 'The unified social credit code is malformed.',
    hint: '18 characters of GB 32100-2015; the value is not logged, it may be anything.',
  },
  'subject.check': {
    status: 400,
    zh: '统一社会信用代码校验位错误',
    en: 'The check character of the unified social credit code is wrong.',
    hint: 'A slip of the pen. Some codes of the early M000 series are genuine all the same and pass with a mark.',
  },
  'subject.person': {
    status: 403,
    zh: '不受理自然人查询',
    en: 'Natural persons are not queried.',
    hint: 'There is no setting for this. The value was not logged.',
  },
  'subject.kind': {
    status: 403,
    zh: '该类主体不在查询范围内',
    en: 'Subjects of this kind are outside the scope.',
    hint: 'Enterprises (91), individual businesses (92) and farmers’ co-operatives (93) only.',
  },
  'source.unreachable': {
    status: 502,
    zh: '数据源暂不可用',
    en: 'The source cannot be reached.',
    hint: 'Readiness names the source; the log has its error.',
  },
  'source.slow': {
    status: 504,
    zh: '数据源未在规定时间内答复',
    en: 'The source did not answer in time.',
    hint: 'Look at the source’s load and at the index on its key column.',
  },
  'source.stale': {
    status: 503,
    zh: '数据源未按期更新',
    en: 'The source has not been updated in due time.',
    hint: 'The mapping states how old the newest row may be.',
  },
  'record.ended': {
    status: 403,
    zh: '已修复、撤销、移出的记录不再提供',
    en: 'Records that are repaired, withdrawn or taken off their list are not given.',
    hint: 'NDRC order 36: repair ends publicity, sharing and use.',
  },
  'record.person': {
    status: 403,
    zh: '自然人记录不予提供',
    en: 'Records about natural persons are not given.',
    hint: 'There is no setting for this.',
  },
  'record.catalogue': {
    status: 403,
    zh: '不在国家目录或本市补充目录内的信息不予提供',
    en: 'What stands in neither the national nor the giving city’s own catalogue is not given; what stands in the latter alone, only where the agreement names it.',
    hint: 'Catalogues stand in federation-config/vocabulary/catalogue.json; a list or a scheme is named in the grant.',
  },
  'record.computed': {
    status: 403,
    zh: '系统自动计算形成的红黑名单不作为名单提供',
    en: 'A red or black list made by counting is not given as a list; as a local notice, only where the agreement names it.',
    hint: 'The grant names `computed-black`, or such rows stay at home.',
  },
  'record.notice': {
    status: 403,
    zh: '缺少设列依据、认定机关或认定文书的名单信息仅作地方提示',
    en: 'A list entry without legal basis, authority or document goes as a local notice, never as a severe list.',
    hint: '国办发〔2020〕49号; map the columns of authority and document where the table has them.',
  },
  'record.publicity': {
    status: 403,
    zh: '公示期限届满、不明或原则上不公示的记录不予提供',
    en: 'Records whose publicity has ended, cannot be told, or is not meant to be are not given.',
    hint: 'Grade and day of decision, by the rule in force on that day: federation-config/vocabulary/publicity.json.',
  },
  'record.objection': {
    status: 403,
    zh: '异议处理中的记录附异议标注提供',
    en: 'A record to which an objection is pending is given with a mark that says so.',
    hint: 'The mark goes when the state of the record does.',
  },
  'record.territorial': {
    status: 403,
    zh: '仅在作出地有效的限制措施，在其他城市仅供参考',
    en: 'A restriction confined to the territory that imposed it is information only elsewhere.',
    hint: 'Nothing of ours may be triggered by it.',
  },
  'record.escalation': {
    status: 403,
    zh: '违反信用承诺、首次轻微违法和轻微失信不作为黑名单提供',
    en: 'A breach of a commitment, a first minor offence and minor dishonesty are never given as an entry on a black list.',
    hint: 'The row belongs to another family; it says so in its reason.',
  },
  'record.escalation-doubt': {
    status: 403,
    zh: '名单事由提及违反承诺、首次或轻微违法的，未经核实仅作地方提示',
    en: 'An entry on a severe list whose words speak of a broken commitment or a minor offence is a local notice until that is verified.',
    hint: 'Ask the authority that listed it on what the entry rests; the words stand in reason, result, name or remark.',
  },
  'record.undetermined': {
    status: 503,
    zh: '该主体有记录能否提供无法判定（状态、日期、等级、共享级别、名单或评价类别不明），不得视为无记录',
    en: 'There is a record of which it cannot be told whether it may be given; this is not to be read as none.',
    hint: 'A value that says the state, a day, the grade, the share level, the list or the scheme is missing or not in the mapping: `xinqiao try` shows the row.',
  },
  'record.masked': {
    status: 403,
    zh: '文本中的证件号码、电话、账号和个人姓名已作脱敏',
    en: 'Identity numbers, telephones, accounts and names of persons in a text are masked.',
    hint: 'The record names the fields under `masked`; the original stays at home.',
  },
  'recognition.unlisted': {
    status: 403,
    zh: '协议没有该名单或等级的互认条款，仅供参考',
    en: 'The agreement has no clause that recognises this list or level; it is information only.',
    hint: 'Both parties add a row to `recognition` in the agreement and sign it.',
  },
  'recognition.information': {
    status: 403,
    zh: '协议约定该名单或等级仅供参考',
    en: 'The agreement takes this list or level as information only.',
    hint: 'The row of `recognition` says so.',
  },
  'recognition.none': {
    status: 403,
    zh: '协议约定本市没有相应的名单或等级',
    en: 'The agreement says that no list or level here corresponds to it.',
    hint: 'The row of `recognition` has the relation none.',
  },
  'recognition.date': {
    status: 403,
    zh: '记录日期不明，或该日没有适用的互认条款',
    en: 'The date of the record cannot be told, or nothing that recognises it is in force on that day.',
    hint: 'A record is recognised by what is in force on its own date: compare validFrom and validTo of table and scheme.',
  },
  'recognition.untranslated': {
    status: 403,
    zh: '名单或等级未能转换为唯一的共同代码，不作推定',
    en: 'The list or level is no single code of the shared vocabulary, and none is guessed.',
    hint: 'The other city’s mapping carries the word as it stands.',
  },
  'recognition.no-level': {
    status: 403,
    zh: '只有分值，没有等级，不推定等级',
    en: 'There is a score and no level; no level is invented.',
    hint: 'The thresholds of a score belong to its scheme and version.',
  },
  'recognition.list-basis': {
    status: 403,
    zh: '缺少设列依据、认定机关或认定文书，不作为名单认可',
    en: 'Legal basis, authority or document is missing, so it is not recognised as an entry on a list.',
    hint: '国办发〔2020〕49号: a list without them is no list; ask the other city for the missing ones.',
  },
  'recognition.rater': {
    status: 403,
    zh: '评定机构已被停业整顿或清除出市场，评级不予认可',
    en: 'The rater is suspended or struck off, so its rating is not recognised.',
    hint: 'Its standing is that of today, as the other city knows it.',
  },
  'recognition.rater-unknown': {
    status: 403,
    zh: '评定机构当前状态不明，评级仅供参考',
    en: 'The present standing of the rater is not known; the rating is information only.',
    hint: 'The agreement grants raterStatus, and the other city’s table has it, or it cannot be recognised.',
  },
  'measure.none': {
    status: 403,
    zh: '本市措施清单对该名单或该目的没有规定措施',
    en: 'Our own list of measures provides none for this list or this purpose.',
    hint: 'federation-config/measures/<city>.json is the only source of measures.',
  },
  'measure.objection': {
    status: 403,
    zh: '记录异议处理期间停止使用',
    en: 'An objection to the record is pending, and its use is suspended.',
    hint: 'The city’s own rule, in its list of measures.',
  },
  'measure.incomplete': {
    status: 403,
    zh: '判断所需的名单未全部请求、约定或互认',
    en: 'Not every list that the check needs was asked for, is agreed, or is recognised.',
    hint: 'Compare the lists of our measures with the grants and the recognition tables of the agreement.',
  },
  'ledger.unavailable': {
    status: 503,
    zh: '日志暂不可写，未作答复',
    en: 'The ledger cannot be written, so nothing is answered.',
    hint: 'Free space on the data volume, or bring PostgreSQL back; service resumes by itself.',
  },
  'ledger.contradicted': {
    status: 503,
    zh: '日志与此前公布的不一致，已停止答复',
    en: 'The ledger is not the one that was published before, so nothing is answered.',
    hint: 'An old copy or a changed one: bring back the newest; `xinqiao ledger verify` and the log say what differs.',
  },
  'department.key': {
    status: 401,
    zh: '部门密钥无效',
    en: 'The department key is missing, wrong or expired.',
    hint: '`xinqiao keys department` issues one.',
  },
  'department.purpose': {
    status: 403,
    zh: '该部门无权以此目的查询',
    en: 'The department may not ask for this purpose.',
    hint: 'The key’s purposes were set when it was issued.',
  },
  'peer.unknown': {
    status: 404,
    zh: '没有这个城市',
    en: 'There is no such peer.',
    hint: 'Peers stand in federation-config/members.',
  },
  'peer.unreachable': {
    status: 502,
    zh: '对方城市暂时无法连接',
    en: 'The peer cannot be reached.',
    hint: 'Its endpoint, the network between, or its certificate; the log has the error.',
  },
  'peer.slow': {
    status: 504,
    zh: '对方城市未在规定时间内答复',
    en: 'The peer did not answer in time.',
    hint: 'Ask its operator.',
  },
  'peer.refused': {
    status: 502,
    zh: '对方城市未受理',
    en: 'The peer did not take the question.',
    hint: 'The log has its reason.',
  },
  'peer.answer': {
    status: 502,
    zh: '对方城市的答复不可信，已弃用',
    en: 'The answer could not be trusted and was discarded.',
    hint: 'The log names the check that failed; tell the peer’s operator.',
  },
  'peer.overdisclosed': {
    status: 502,
    zh: '对方城市的答复超出协议范围，已弃用',
    en: 'The answer held more than was agreed and was discarded.',
    hint: 'The log names the fields; tell the peer’s operator.',
  },
  'request.form': {
    status: 400,
    zh: '请求格式不符',
    en: 'The request does not have the documented form.',
    hint: 'GET /openapi.json describes it.',
  },
  'request.path': { status: 404, zh: '没有这个地址', en: 'There is nothing at this address.', hint: '' },
  fault: {
    status: 500,
    zh: '系统内部错误',
    en: 'The gateway failed.',
    hint: 'The log has the error under the same request id; report it.',
  },
} as const satisfies Record<string, Row>

export type RefusalCode = keyof typeof refusals

/** The codes as a non-empty tuple, for schemas that must name every one. */
export const refusalCodes = Object.keys(refusals).filter(isRefusalCode)

export function isRefusalCode(text: string): text is RefusalCode {
  return Object.hasOwn(refusals, text)
}

/** What may be told to the other side, in both languages. */
export type PublicRefusal = { readonly code: RefusalCode; readonly zh: string; readonly en: string }

/** The one error this project throws on purpose. `detail` and `cause` are for our log alone. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: RefusalCode
  readonly detail: string | undefined
  constructor(code: RefusalCode, detail?: string, cause?: unknown) {
    super(detail === undefined ? code : `${code}: ${detail}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.detail = detail
  }
  get status(): Row['status'] {
    return refusals[this.code].status
  }
  get hint(): string {
    return refusals[this.code].hint
  }
  get public(): PublicRefusal {
    return told(this.code)
  }
}

/** Makes a refusal to throw: `throw refuse('agreement.purpose', 'asked for x')`. */
export function refuse(code: RefusalCode, detail?: string, cause?: unknown): Refusal {
  return new Refusal(code, detail, cause)
}

/** The public text of a code. */
export function told(code: RefusalCode): PublicRefusal {
  const { zh, en } = refusals[code]
  return { code, zh, en }
}
