/** A refusal is a value from one closed table: what the other side may read, and, apart from it, what only our log may hold. */
import type { Said } from './said.ts'

type Row = {
  /** HTTP status of the response that carries it (RFC 9110). */
  readonly status: 400 | 401 | 403 | 404 | 408 | 413 | 415 | 421 | 429 | 500 | 502 | 503 | 504
  readonly zh: string
  readonly en: string
  /** What the operator of this gateway can do about it. Never sent to a peer. */
  readonly hint: Said
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
    hint: { zh: '限额见 docs/protocol.md 的 Limits 一节。', en: 'Limits stand in docs/protocol.md, section Limits.' },
  },
  'form.slow': {
    status: 408,
    zh: '报文未在规定时间内到达',
    en: 'The message did not arrive in time.',
    hint: { zh: '发送方或途中的设备在传输时停顿。', en: 'The caller, or a device on the way, stalls while it sends.' },
  },
  'form.media-type': {
    status: 415,
    zh: '媒体类型不符',
    en: 'The media type is not the one this endpoint takes.',
    hint: {
      zh: '查询报文的媒体类型为 application/credit-query+jwt。',
      en: 'A question is application/credit-query+jwt.',
    },
  },
  'form.compact': {
    status: 400,
    zh: '不是紧凑格式的报文',
    en: 'The message is not in compact form.',
    hint: {
      zh: '应为三段 base64url（加密的为五段），以点分隔，此外不得有任何内容（RFC 7515 和 RFC 7516 第 7.1 节）。',
      en: 'Three parts of base64url, five where sealed, dots between, nothing else (RFC 7515 and 7516 section 7.1).',
    },
  },
  'form.base64': {
    status: 400,
    zh: 'base64url 编码不规范',
    en: 'The base64url is not canonical.',
    hint: {
      zh: '不得有填充符或空格，未用的位为零（RFC 4648 第 3.5 节）。',
      en: 'No padding, no spaces, unused bits zero (RFC 4648 section 3.5).',
    },
  },
  'form.json': {
    status: 400,
    zh: 'JSON 格式错误',
    en: 'The JSON is not well formed, or nests too deep.',
    hint: {
      zh: 'UTF-8 编码，不带字节顺序标记；最外层为对象；嵌套不超过 12 层。',
      en: 'UTF-8 without a byte order mark, an object at the top, depth at most 12.',
    },
  },
  'form.duplicate': {
    status: 400,
    zh: 'JSON 成员重复',
    en: 'A JSON object has the same member twice.',
    hint: {
      zh: 'RFC 8725bis：成员重复时，两个程序会读出两份不同的报文。',
      en: 'RFC 8725bis: a duplicate member lets two readers see two messages.',
    },
  },
  'token.header': {
    status: 401,
    zh: '报文头不符合规定',
    en: 'The header is not exactly alg, kid, typ and x5t#S256.',
    hint: {
      zh: 'jku、x5u、jwk、crit、zip 和 b64 一律不接受。',
      en: 'jku, x5u, jwk, crit, zip and b64 are never accepted.',
    },
  },
  'token.algorithm': {
    status: 401,
    zh: '签名算法不被接受',
    en: 'The signature algorithm is not accepted.',
    hint: { zh: '算法由密钥决定；none 一律不接受。', en: 'The algorithm is fixed by the key; none is never accepted.' },
  },
  'token.type': {
    status: 401,
    zh: '报文类型不符',
    en: 'The message type (typ) is not the one expected here.',
    hint: { zh: '每种报文各有自己的 typ。', en: 'Each kind of message has its own typ.' },
  },
  'token.issuer': {
    status: 401,
    zh: '发出方不是联盟成员',
    en: 'The issuer is missing or is not a member.',
    hint: { zh: '核对 iss 是否在 federation-config/members 中。', en: 'Compare iss with federation-config/members.' },
  },
  'token.signature': {
    status: 401,
    zh: '签名无法由该成员的密钥验证',
    en: 'The signature does not verify with a key of the issuer.',
    hint: {
      zh: 'kid 不明或属于其他成员，或报文被改动过。',
      en: 'The kid is unknown, belongs to another member, or the message was changed.',
    },
  },
  'token.certificate': {
    status: 401,
    zh: '签名证书不被接受',
    en: 'The certificate of the signing key is not accepted.',
    hint: {
      zh: '运行日志写明证书和原因；换新证书，或放入其吊销列表。',
      en: 'The log names the certificate and the reason; renew it or load its CRL.',
    },
  },
  'token.transport': {
    status: 401,
    zh: '连接证书与发出方不一致',
    en: 'The connection was made by another city than the issuer.',
    hint: {
      zh: 'TLS 客户端证书和 iss 须为同一城市。',
      en: 'The TLS client certificate and iss must name the same city.',
    },
  },
  'token.claims': {
    status: 400,
    zh: '声明缺失或格式不符',
    en: 'A claim is missing, unknown or of the wrong form.',
    hint: {
      zh: '各项声明见 docs/protocol.md；运行日志写明有误的一项。',
      en: 'The claims stand in docs/protocol.md; the log names the one at fault.',
    },
  },
  'token.audience': {
    status: 401,
    zh: '报文不是发给本市的',
    en: 'The message is not addressed to this city.',
    hint: { zh: 'aud 只有一个字符串：被查询城市的代码。', en: 'aud is one string: the id of the city that is asked.' },
  },
  'token.expired': {
    status: 401,
    zh: '报文已过期',
    en: 'The message has expired.',
    hint: { zh: '核对双方时钟，相差不得超过 10 秒。', en: 'Compare both clocks; more than 10 s apart is too much.' },
  },
  'token.future': {
    status: 401,
    zh: '报文时间在未来',
    en: 'The message comes from the future.',
    hint: { zh: '核对双方时钟，相差不得超过 10 秒。', en: 'Compare both clocks; more than 10 s apart is too much.' },
  },
  'token.window': {
    status: 401,
    zh: '有效时间过长',
    en: 'The message is valid for too long.',
    hint: { zh: 'exp 最多比 iat 晚 300 秒。', en: 'exp is at most 300 s after iat.' },
  },
  'token.replayed': {
    status: 401,
    zh: '报文重复',
    en: 'This message was already received.',
    hint: {
      zh: '一次查询只答复一次；再次查询须用新的 jti。',
      en: 'A question is answered once; a new question needs a new jti.',
    },
  },
  'token.sealed': {
    status: 401,
    zh: '加密报文无法打开或不符合约定',
    en: 'The encrypted layer cannot be opened, or is not as agreed.',
    hint: {
      zh: '不是用本市现用的加密密钥加密，或不是以 ECDH-ES 和 A256GCM 加密的一份已签名报文；运行日志写明是哪一种。',
      en: 'Sealed for an encryption key that is not ours now, or not ECDH-ES with A256GCM around one signed message; the log says which.',
    },
  },
  'load.busy': {
    status: 503,
    zh: '系统繁忙，请稍后再试',
    en: 'Too many questions at once; ask again later.',
    hint: {
      zh: '持续数分钟的，增加处理器核，或为同一日志增加一台网关。',
      en: 'Lasting for minutes: more cores, or another gateway on the same ledger.',
    },
  },
  'load.rate': {
    status: 429,
    zh: '超出协议约定的频率或数量',
    en: 'The rate or the quota of the agreement is used up.',
    hint: {
      zh: '限额写在协议中；修改须双方签署。',
      en: 'The quota stands in the agreement; both parties sign a change.',
    },
  },
  'agreement.unknown': {
    status: 403,
    zh: '没有这样的协议',
    en: 'There is no such agreement between the two cities.',
    hint: {
      zh: '对方引用的协议不在 federation-config/agreements 中。',
      en: 'The peer names an agreement that is not in federation-config/agreements.',
    },
  },
  'agreement.digest': {
    status: 403,
    zh: '协议文本不一致',
    en: 'The agreement of that name has another text here.',
    hint: {
      zh: '有一方的文本较新；双方各运行 `xinqiao agreement verify` 比对。',
      en: 'One side has a newer version; compare `xinqiao agreement verify` on both.',
    },
  },
  'agreement.not-yet': {
    status: 403,
    zh: '协议尚未生效',
    en: 'The agreement is not yet in force.',
    hint: { zh: 'validFrom 为北京时间的日期。', en: 'validFrom is a day in Asia/Shanghai.' },
  },
  'agreement.expired': {
    status: 403,
    zh: '协议已到期',
    en: 'The agreement is no longer in force.',
    hint: { zh: '签署续期的协议，双方网关都要取用。', en: 'Sign a renewed agreement and load it on both sides.' },
  },
  'agreement.confidential': {
    status: 403,
    zh: '协议要求加密而报文未加密，或协议未要求而报文已加密',
    en: 'The agreement demands encryption and the message came without it, or the reverse.',
    hint: {
      zh: '协议写明 `confidential` 的须加密，没有写的不加密；双方都照此发送。',
      en: 'The agreement says `confidential` or does not; both sides send accordingly.',
    },
  },
  'agreement.purpose': {
    status: 403,
    zh: '协议未约定该查询目的',
    en: 'The agreement does not provide for this purpose.',
    hint: {
      zh: '`xinqiao check` 列出谁、为何、能看哪些字段。',
      en: '`xinqiao check` prints who may see which field for what purpose.',
    },
  },
  'agreement.family': {
    status: 403,
    zh: '协议未约定该类信息',
    en: 'The agreement does not provide for this family of records for this purpose.',
    hint: {
      zh: '`xinqiao check` 列出谁、为何、能看哪些字段。',
      en: '`xinqiao check` prints who may see which field for what purpose.',
    },
  },
  'agreement.field': {
    status: 403,
    zh: '协议未约定该字段',
    en: 'The agreement does not provide for this field.',
    hint: {
      zh: '`xinqiao check` 列出谁、为何、能看哪些字段。',
      en: '`xinqiao check` prints who may see which field for what purpose.',
    },
  },
  'agreement.list': {
    status: 403,
    zh: '协议未约定该名单',
    en: 'The agreement does not provide for this list.',
    hint: { zh: '可提供的名单在协议的提供范围中逐一写明。', en: 'Lists are named in the grant of the agreement.' },
  },
  'agreement.scheme': {
    status: 403,
    zh: '协议未约定该评价体系',
    en: 'The agreement does not provide for this rating scheme.',
    hint: {
      zh: '可提供的评价体系在协议的提供范围中逐一写明。',
      en: 'Schemes are named in the grant of the agreement.',
    },
  },
  'agreement.share-level': {
    status: 403,
    zh: '该信息的共享级别高于协议约定',
    en: 'The share level of the record or field is above what the agreement provides for.',
    hint: { zh: '级别由低到高：社会公开、政务共享、授权查询。', en: 'Levels rise: public, government, authorised.' },
  },
  'query.purpose': {
    status: 400,
    zh: '查询目的不在共同词汇表中',
    en: 'The purpose is not in the shared vocabulary.',
    hint: { zh: '查询目的见 federation-config/vocabulary。', en: 'Purposes stand in federation-config/vocabulary.' },
  },
  'query.want': {
    status: 400,
    zh: '所请求的类别或字段不在共同词汇表中',
    en: 'A family or field asked for is not in the shared vocabulary.',
    hint: {
      zh: '类别和字段见 federation-config/vocabulary。',
      en: 'Families and fields stand in federation-config/vocabulary.',
    },
  },
  'query.matter': {
    status: 400,
    zh: '查询事由缺失或含有个人信息',
    en: 'The matter is missing, or holds what looks like personal data.',
    hint: {
      zh: '事由填触发本次核查的案卷号或项目编号，不得填写个人信息。',
      en: 'The matter is the file number of the case that triggers the check, never a person.',
    },
  },
  'query.subjects': {
    status: 400,
    zh: '一次查询 1 至 100 个主体',
    en: 'A question is about 1 to 100 subjects.',
    hint: { zh: '请分批查询。', en: 'Split the batch.' },
  },
  'subject.malformed': {
    status: 400,
    zh: '统一社会信用代码格式错误',
    en: 'The unified social credit code is malformed.',
    hint: {
      zh: '应为 GB 32100-2015 规定的 18 位；所填内容不明，不作记录。',
      en: '18 characters of GB 32100-2015; the value is not logged, it may be anything.',
    },
  },
  'subject.check': {
    status: 400,
    zh: '统一社会信用代码校验位错误',
    en: 'The check character of the unified social credit code is wrong.',
    hint: {
      zh: '多为抄写错误。早期 M000 段的一些代码校验位虽不符，却是真实的，予以受理并加标注。',
      en: 'A slip of the pen. Some codes of the early M000 series are genuine all the same and pass with a mark.',
    },
  },
  'subject.person': {
    status: 403,
    zh: '不受理自然人查询',
    en: 'Natural persons are not queried.',
    hint: {
      zh: '此项不设开关。所填号码未作记录。',
      en: 'There is no setting for this. The value was not logged.',
    },
  },
  'subject.kind': {
    status: 403,
    zh: '该类主体不在查询范围内',
    en: 'Subjects of this kind are outside the scope.',
    hint: {
      zh: '只限企业（91）、个体工商户（92）和农民专业合作社（93）。',
      en: 'Enterprises (91), individual businesses (92) and farmers’ co-operatives (93) only.',
    },
  },
  'source.unreachable': {
    status: 502,
    zh: '数据源暂不可用',
    en: 'The source cannot be reached.',
    hint: {
      zh: '就绪检查写明是哪个数据源；错误见运行日志。',
      en: 'Readiness names the source; the log has its error.',
    },
  },
  'source.slow': {
    status: 504,
    zh: '数据源未在规定时间内答复',
    en: 'The source did not answer in time.',
    hint: {
      zh: '查看数据源的负载，以及代码列有无索引。',
      en: 'Look at the source’s load and at the index on its key column.',
    },
  },
  'source.stale': {
    status: 503,
    zh: '数据源未按期更新',
    en: 'The source has not been updated in due time.',
    hint: { zh: '最新一行数据允许的最长滞后时间由映射规定。', en: 'The mapping states how old the newest row may be.' },
  },
  'record.ended': {
    status: 403,
    zh: '已修复、撤销、移出的记录不再提供',
    en: 'Records that are repaired, withdrawn or taken off their list are not given.',
    hint: {
      zh: '国家发展改革委令第36号：修复后终止公示、共享和使用。',
      en: 'NDRC order 36: repair ends publicity, sharing and use.',
    },
  },
  'record.person': {
    status: 403,
    zh: '自然人记录不予提供',
    en: 'Records about natural persons are not given.',
    hint: { zh: '此项不设开关。', en: 'There is no setting for this.' },
  },
  'record.catalogue': {
    status: 403,
    zh: '不在国家目录或本市补充目录内的信息不予提供',
    en: 'What stands in neither the national nor the giving city’s own catalogue is not given; what stands in the latter alone, only where the agreement names it.',
    hint: {
      zh: '目录见 federation-config/vocabulary/catalogue.json；名单、评价体系须在协议的提供范围中写明。',
      en: 'Catalogues stand in federation-config/vocabulary/catalogue.json; a list or a scheme is named in the grant.',
    },
  },
  'record.computed': {
    status: 403,
    zh: '系统自动计算形成的红黑名单不作为名单提供',
    en: 'A red or black list made by counting is not given as a list; as a local notice, only where the agreement names it.',
    hint: {
      zh: '协议的提供范围写明 `computed-black` 的才提供，否则留在本市。',
      en: 'The grant names `computed-black`, or such rows stay at home.',
    },
  },
  'record.notice': {
    status: 403,
    zh: '缺少设列依据、认定机关或认定文书的名单信息仅作地方提示',
    en: 'A list entry without legal basis, authority or document goes as a local notice, never as a severe list.',
    hint: {
      zh: '国办发〔2020〕49号；数据表中有认定机关、认定文书的，在映射中写上这些列。',
      en: 'State Council General Office document 49 of 2020; map the columns of authority and document where the table has them.',
    },
  },
  'record.publicity': {
    status: 403,
    zh: '公示期限届满、不明或原则上不公示的记录不予提供',
    en: 'Records whose publicity has ended, cannot be told, or is not meant to be are not given.',
    hint: {
      zh: '按等级和决定日期，依当日有效的规则判断：federation-config/vocabulary/publicity.json。',
      en: 'Grade and day of decision, by the rule in force on that day: federation-config/vocabulary/publicity.json.',
    },
  },
  'record.objection': {
    status: 403,
    zh: '异议处理中的记录附异议标注提供',
    en: 'A record to which an objection is pending is given with a mark that says so.',
    hint: { zh: '记录状态变更后，标注随之取消。', en: 'The mark goes when the state of the record does.' },
  },
  'record.territorial': {
    status: 403,
    zh: '仅在作出地有效的限制措施，在其他城市仅供参考',
    en: 'A restriction confined to the territory that imposed it is information only elsewhere.',
    hint: { zh: '不得据此触发本市的任何措施。', en: 'Nothing of ours may be triggered by it.' },
  },
  'record.escalation': {
    status: 403,
    zh: '违反信用承诺、首次轻微违法和轻微失信不作为黑名单提供',
    en: 'A breach of a commitment, a first minor offence and minor dishonesty are never given as an entry on a black list.',
    hint: {
      zh: '该行应归其他信息类别，其事由已写明。',
      en: 'The row belongs to another family; it says so in its reason.',
    },
  },
  'record.escalation-doubt': {
    status: 403,
    zh: '名单事由提及违反承诺、首次或轻微违法的，未经核实仅作地方提示',
    en: 'An entry on a severe list whose words speak of a broken commitment or a minor offence is a local notice until that is verified.',
    hint: {
      zh: '请列入机关说明列入依据；有关字句在事由、结果、名称或备注中。',
      en: 'Ask the authority that listed it on what the entry rests; the words stand in reason, result, name or remark.',
    },
  },
  'record.undetermined': {
    status: 503,
    zh: '该主体有记录能否提供无法判定（状态、日期、等级、共享级别、名单或评价类别不明），不得视为无记录',
    en: 'There is a record of which it cannot be told whether it may be given; this is not to be read as none.',
    hint: {
      zh: '表示状态、日期、等级、共享级别、名单或评价体系的值缺失，或不在映射中：用 `xinqiao try` 查看该行。',
      en: 'A value that says the state, a day, the grade, the share level, the list or the scheme is missing or not in the mapping: `xinqiao try` shows the row.',
    },
  },
  'record.masked': {
    status: 403,
    zh: '文本中的证件号码、电话、账号和个人姓名已作脱敏',
    en: 'Identity numbers, telephones, accounts and names of persons in a text are masked.',
    hint: {
      zh: '脱敏的字段列在记录的 `masked` 中；原文留在本市。',
      en: 'The record names the fields under `masked`; the original stays at home.',
    },
  },
  'recognition.unlisted': {
    status: 403,
    zh: '协议没有该名单或等级的互认条款，仅供参考',
    en: 'The agreement has no clause that recognises this list or level; it is information only.',
    hint: {
      zh: '双方在协议的 `recognition` 中增加一行并签署。',
      en: 'Both parties add a row to `recognition` in the agreement and sign it.',
    },
  },
  'recognition.information': {
    status: 403,
    zh: '协议约定该名单或等级仅供参考',
    en: 'The agreement takes this list or level as information only.',
    hint: { zh: '协议 `recognition` 的相应一行如此约定。', en: 'The row of `recognition` says so.' },
  },
  'recognition.none': {
    status: 403,
    zh: '协议约定本市没有相应的名单或等级',
    en: 'The agreement says that no list or level here corresponds to it.',
    hint: { zh: '协议 `recognition` 中该行的关系为 none。', en: 'The row of `recognition` has the relation none.' },
  },
  'recognition.date': {
    status: 403,
    zh: '记录日期不明或尚未到来，或该日没有适用的互认条款',
    en: 'The date of the record cannot be told or has not come yet, or nothing that recognises it is in force on that day.',
    hint: {
      zh: '记录按其日期当日有效的条款互认：核对互认表和评价体系的 validFrom、validTo。',
      en: 'A record is recognised by what is in force on its own date: compare validFrom and validTo of table and scheme.',
    },
  },
  'recognition.untranslated': {
    status: 403,
    zh: '名单或等级未能转换为唯一的共同代码，不作推定',
    en: 'The list or level is no single code of the shared vocabulary, and none is guessed.',
    hint: {
      zh: '对方城市的映射按原文给出该词，未作转换。',
      en: 'The other city’s mapping carries the word as it stands.',
    },
  },
  'recognition.no-level': {
    status: 403,
    zh: '只有分值，没有等级，不推定等级',
    en: 'There is a score and no level; no level is invented.',
    hint: {
      zh: '分值划为等级的界限，由评价体系的各版本自行规定。',
      en: 'The thresholds of a score belong to its scheme and version.',
    },
  },
  'recognition.list-basis': {
    status: 403,
    zh: '缺少设列依据、认定机关或认定文书，不作为名单认可',
    en: 'Legal basis, authority or document is missing, so it is not recognised as an entry on a list.',
    hint: {
      zh: '国办发〔2020〕49号：三者缺一即不成为名单；请对方城市补全。',
      en: 'State Council General Office document 49 of 2020: a list without them is no list; ask the other city for the missing ones.',
    },
  },
  'recognition.rater': {
    status: 403,
    zh: '评定机构已被停业整顿或清除出市场，评级不予认可',
    en: 'The rater is suspended or struck off, so its rating is not recognised.',
    hint: {
      zh: '以对方城市所掌握的评定机构当前状态为准。',
      en: 'Its standing is that of today, as the other city knows it.',
    },
  },
  'recognition.rater-unknown': {
    status: 403,
    zh: '评定机构当前状态不明，评级仅供参考',
    en: 'The present standing of the rater is not known; the rating is information only.',
    hint: {
      zh: '协议提供 raterStatus 且对方城市的数据表中有此项的，才能互认。',
      en: 'The agreement grants raterStatus, and the other city’s table has it, or it cannot be recognised.',
    },
  },
  'measure.none': {
    status: 403,
    zh: '本市措施清单对该名单或该目的没有规定措施',
    en: 'Our own list of measures provides none for this list or this purpose.',
    hint: {
      zh: '措施只以 federation-config/measures/<city>.json 为准。',
      en: 'federation-config/measures/<city>.json is the only source of measures.',
    },
  },
  'measure.objection': {
    status: 403,
    zh: '记录异议处理期间停止使用',
    en: 'An objection to the record is pending, and its use is suspended.',
    hint: { zh: '这是本市措施清单中的规定。', en: 'The city’s own rule, in its list of measures.' },
  },
  'measure.incomplete': {
    status: 403,
    zh: '判断所需的名单未全部请求、约定或互认',
    en: 'Not every list that the check needs was asked for, is agreed, or is recognised.',
    hint: {
      zh: '将本市措施所需的名单与协议的提供范围、互认表逐一核对。',
      en: 'Compare the lists of our measures with the grants and the recognition tables of the agreement.',
    },
  },
  'ledger.unavailable': {
    status: 503,
    zh: '日志暂不可写，未作答复',
    en: 'The ledger cannot be written, so nothing is answered.',
    hint: {
      zh: '腾出数据盘空间，或恢复 PostgreSQL；之后服务自动恢复。',
      en: 'Free space on the data volume, or bring PostgreSQL back; service resumes by itself.',
    },
  },
  'ledger.contradicted': {
    status: 503,
    zh: '日志与此前公布的不一致，已停止答复',
    en: 'The ledger is not the one that was published before, so nothing is answered.',
    hint: {
      zh: '日志是旧备份或被改动过：换上最新的；不同之处见 `xinqiao ledger verify` 和运行日志。',
      en: 'An old copy or a changed one: bring back the newest; `xinqiao ledger verify` and the log say what differs.',
    },
  },
  'department.key': {
    status: 401,
    zh: '部门密钥无效',
    en: 'The department key is missing, wrong or expired.',
    hint: { zh: '用 `xinqiao keys department` 签发。', en: '`xinqiao keys department` issues one.' },
  },
  'department.purpose': {
    status: 403,
    zh: '该部门无权以此目的查询',
    en: 'The department may not ask for this purpose.',
    hint: { zh: '查询目的在签发部门密钥时已定。', en: 'The key’s purposes were set when it was issued.' },
  },
  'peer.unknown': {
    status: 404,
    zh: '没有这个城市',
    en: 'There is no such peer.',
    hint: { zh: '有哪些对方城市，见 federation-config/members。', en: 'Peers stand in federation-config/members.' },
  },
  'peer.unreachable': {
    status: 502,
    zh: '对方城市暂时无法连接',
    en: 'The peer cannot be reached.',
    hint: {
      zh: '检查对方的网关地址、其间的网络和对方的证书；错误见运行日志。',
      en: 'Its endpoint, the network between, or its certificate; the log has the error.',
    },
  },
  'peer.slow': {
    status: 504,
    zh: '对方城市未在规定时间内答复',
    en: 'The peer did not answer in time.',
    hint: { zh: '请联系对方城市的运维人员。', en: 'Ask its operator.' },
  },
  'peer.refused': {
    status: 502,
    zh: '对方城市未受理',
    en: 'The peer did not take the question.',
    hint: { zh: '对方的原因见运行日志。', en: 'The log has its reason.' },
  },
  'peer.answer': {
    status: 502,
    zh: '对方城市的答复不可信，已弃用',
    en: 'The answer could not be trusted and was discarded.',
    hint: {
      zh: '运行日志写明未通过的核验；请告知对方城市的运维人员。',
      en: 'The log names the check that failed; tell the peer’s operator.',
    },
  },
  'peer.overdisclosed': {
    status: 502,
    zh: '对方城市的答复超出协议范围，已弃用',
    en: 'The answer held more than was agreed and was discarded.',
    hint: {
      zh: '运行日志写明超出的字段；请告知对方城市的运维人员。',
      en: 'The log names the fields; tell the peer’s operator.',
    },
  },
  'request.form': {
    status: 400,
    zh: '请求格式不符',
    en: 'The request does not have the documented form.',
    hint: { zh: '格式见 GET /openapi.json。', en: 'GET /openapi.json describes it.' },
  },
  'request.path': {
    status: 404,
    zh: '没有这个地址',
    en: 'There is nothing at this address.',
    hint: {
      zh: '对外地址见 docs/protocol.md，对内地址见 GET /openapi.json。',
      en: 'Addresses for peers stand in docs/protocol.md, those inside in GET /openapi.json.',
    },
  },
  fault: {
    status: 500,
    zh: '系统内部错误',
    en: 'The gateway failed.',
    hint: {
      zh: '运行日志中 code 为 fault 的一行写明此错误；请反馈。',
      en: 'The log has the error in its line with the code fault; report it.',
    },
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
  get hint(): Said {
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
