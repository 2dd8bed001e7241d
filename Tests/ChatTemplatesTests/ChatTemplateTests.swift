import Foundation
import StrictJSON
import Testing

@testable import ChatTemplates

@Suite struct ChatTemplateTests {
  private func render(_ source: String, _ messages: [ChatMessage] = []) throws -> String {
    try ChatTemplate(source).render(messages, now: Date(timeIntervalSince1970: 1_750_000_000))
  }

  /// Tests/Fixtures/tokenizers/chat.golden.json, which Tests/Reference/tokenizers writes.
  private static func golden() throws -> JSONValue {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
    return try JSONParser.parse(
      Data(contentsOf: tests.appendingPathComponent("Fixtures/tokenizers/chat.golden.json")),
      limit: .tokenizer)
  }

  /// Prompts that the reference library gives; null where the template refuses the messages.
  @Test(arguments: ["chatml", "headers", "instructions", "features"])
  func printsWhatTheReferencePrints(_ name: String) throws {
    let file = try Self.golden()
    let template = try ChatTemplate(
      try #require(file["templates"]?[name]?.string),
      specialTokens: try #require(file["tokens"]?.object).members.reduce(into: [:]) {
        $0[$1.key] = $1.value.string
      })
    let cases = try #require(file["cases"]?.array).filter { $0["name"]?.string == name }
    #expect(cases.count > 10)
    for golden in cases {
      let messages = try #require(golden["messages"]?.array).map {
        ChatMessage(role: $0["role"]?.string ?? "", content: $0["content"]?.string ?? "")
      }
      let generates = golden["add_generation_prompt"]?.bool ?? true
      let prompt = try? template.render(messages, addGenerationPrompt: generates)
      #expect(prompt.map { Array($0.utf8) } == golden["prompt"]?.string.map { Array($0.utf8) })
    }
  }

  /// What was read of a conversation and the next turn are the conversation as the reference prints it.
  @Test(arguments: ["chatml", "headers", "instructions"])
  func `the next turn goes on where the answer ended`(_ name: String) throws {
    let file = try Self.golden()
    let template = try ChatTemplate(
      try #require(file["templates"]?[name]?.string),
      specialTokens: try #require(file["tokens"]?.object).members.reduce(into: [:]) {
        $0[$1.key] = $1.value.string
      })
    let first = ChatMessage(role: "user", content: "Who are you?")
    let answer = ChatMessage(role: "assistant", content: "Nobody.")
    let whole = try template.render([first, answer, ChatMessage(role: "user", content: "And I?")])
    let read = try #require(whole.range(of: "Nobody."))
    let next = try template.nextTurn("And I?")
    #expect(whole == whole[..<read.upperBound] + next)
    #expect(next.contains("And I?") && !next.contains("Nobody"))
  }

  @Test(arguments: [
    ("a\n  {% if true %}\nb\n  {%- endif %}\nc\n", "a\nbc"),
    ("{{ 1 }}\n{# note #}\n{{- 2 -}}\n 3", "1\n23"),
    ("{{ {'a': {'b': 1}}['a']['b'] }}", "1"),
    ("{{ 'a' 'b' ~ (1 + 2 * 3) }}{{ not 1 == 2 }}", "ab7True"),
    ("{% for k, v in {'b': 1, 'A': 2, 'c': 0} | dictsort %}{{ k ~ v }},{% endfor %}", "A2,b1,c0,"),
    (
      "{% for p in {'B': 1, 'a': 2} | dictsort(true) %}{{ p[0] }}{% endfor %}"
        + "{% for p in {'x': 1, 'y': 2} | dictsort(by='value', reverse=true) %}{{ p[0] }}{% endfor %}",
      "Bayx"
    ),
    ("{{ '<{}|{{}}{}>'.format(1, none) }}{{ '{1}{0}{a}'.format('x', 'y', a=2) }}", "<1|{}None>yx2"),
    ("{{ none | selectattr('a') | list | length }}{{ none | map('upper') | list | length }}", "00"),
    ("{{ 'héllo'[1:3] }}{{ [1,2,3][-1] }}{{ 'abc'[::-1] }}", "él3cba"),
    ("{% for a, b in [(1, 2), (3, 4)] %}{{ a * b }},{% endfor %}", "2,12,"),
    ("{% for x in [] %}{% else %}none{% endfor %}", "none"),
    ("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "1"),
    ("{{ strftime_now('%d %b %Y') }}", "15 Jun 2025"),
    ("{{ 'x' if messages }}|{{ messages is iterable and messages is not mapping }}", "|True"),
    ("{{ 'e\u{301}' == '\u{e9}' }}{{ '\u{301}' in 'e\u{301}' }}", "FalseTrue"),
  ])
  func runsConstructs(_ source: String, _ text: String) throws {
    #expect(try render(source) == text)
  }

  @Test(arguments: [
    "{{ 1", "{% if x %}", "{% endif %}", "{# open", "{{ 'open }}", "{{ a. }}", "{{ [1 }}",
    "{{ ) }}", "{% for in x %}{% endfor %}", "{% frobnicate %}", "{{ 1.5.5 }}", "{{ }}",
    "{{ 1 < 2 < }}", "{{ 99999999999999999999 }}", "{{ 2 ** 3 }}", "{{ $ }}", "{% set x y %}",
  ])
  func malformedTemplatesAreErrors(_ source: String) {
    #expect(throws: ChatTemplateError.self) { try ChatTemplate(source) }
  }

  @Test(arguments: [
    "{{ none + 1 }}", "{{ x.y.z }}", "{{ x() }}", "{{ [] | nonesuch }}",
    "{{ [] | dictsort }}", "{{ {'a': 1} | dictsort(by='c') }}", "{{ '{:>3}'.format(1) }}",
    "{{ '{'.format(1) }}", "{{ '{}'.format() }}", "{{ '{}{0}'.format(1) }}",
    "{{ '{a}'.format(1) }}",
    "{{ 'a' | tojson(indent='x') }}", "{{ 'a' | tojson(true) }}", "{{ [1, 'a'] | sort }}",
    "{{ 1 / 0 }}", "{{ 1.5 // 0.0 }}", "{{ 2.57 | round(1) }}", "{{ 1.5 is divisibleby 2 }}",
    "{{ messages | sort(attribute='a.b') }}", "{{ 'a' | indent(100000) }}", "{{ 1e400 | int }}",
    "{{ 1 is nonesuch }}", "{{ messages }}", "{{ 1 // 0 }}", "{{ 9223372036854775807 + 1 }}",
    "{{ ''.join(['a']) }}", "{{ 'a'[none:'b'] }}", "{% for x in 3 %}{% endfor %}", "{{ 1 < 'a' }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ range(100000000) }}",
    "{% set m = 1 %}{% set m.x = 2 %}", "{{ strftime_now('%Q') }}", "{{ 'a'.split('') }}",
    "{% for a, b in [[1]] %}{% endfor %}",
  ])
  func whatCannotRunIsAnError(_ source: String) {
    #expect(throws: ChatTemplateError.self) { try render(source) }
  }

  @Test func unusedConstructsDoNoHarm() throws {
    #expect(try render("{% if tools %}{{ tools | tojson(indent=4) }}{% endif %}ok") == "ok")
  }

  @Test func runsAreBounded() {
    let loop = "{% for a in range(60000) %}"
    #expect(throws: ChatTemplateError.self) {
      try render(loop + loop + "{% endfor %}{% endfor %}")
    }
    let nested = String(repeating: "(", count: 10_000) + "1" + String(repeating: ")", count: 10_000)
    #expect(throws: ChatTemplateError.self) { try render("{{ \(nested) }}") }
    let negations = String(repeating: "not ", count: 10_000)
    #expect(throws: ChatTemplateError.self) { try render("{{ \(negations) 1 }}") }
    let sum = "1" + String(repeating: " + 1", count: 100_000)
    #expect((try? render("{{ \(sum) }}")) ?? "100001" == "100001")
  }

  /// Values of doubling size, and work on them: each stopped by the one budget.
  @Test(arguments: [
    ("x='aaaaaaaaaaaaaaaa'", "ns.x ~ ns.x"), ("x=[1,2,3,4]", "ns.x + ns.x"),
    ("x='ab'", "[ns.x, ns.x, ns.x]|join(ns.x)"), ("x='ab'", "(ns.x ~ ns.x)|upper"),
    ("x='aaaaaaaa'", "ns.x.replace('a', 'aaaaaaaaaa')"),
    ("x='ab'", "(ns.x ~ ns.x)[::-1]"), ("x='a '", "(ns.x ~ ns.x)|replace('a', 'b')"),
  ])
  func valuesOfDoublingSizeAreBounded(_ start: String, _ next: String) {
    let loop = "{% for i in range(60) %}{% set ns.x = \(next) %}{% endfor %}"
    expectBudget("{% set ns = namespace(\(start)) %}\(loop)", "builds values of more than 128 MiB")
  }

  /// Lists that hold one list twice, 40 times over: small, but not to walk through.
  @Test(arguments: [
    "ns.x|tojson", "ns.x == ns.y", "ns.x in [ns.y]", "{ns.x: 1}[ns.y]", "ns.x is eq(ns.y)",
  ])
  func sharedValuesAreBounded(_ use: String) {
    let double = "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}"
    expectBudget(
      "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(40) %}\(double){% endfor %}"
        + "{{ \(use) }}", "takes more than 4194304 steps")
  }

  @Test(arguments: [
    "{% macro f(n) %}{{ f(n) ~ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(n) %}{% if n %}{{ (((f(n)))) }}{% endif %}{% endmacro %}{{ f(1) }}",
  ])
  func callsAreBounded(_ source: String) { expectBudget(source, "calls itself too deep") }

  @Test func otherWorkIsBounded() {
    let dates = "{% for i in range(60000) %}{{ strftime_now('%d %b %Y') }}{% endfor %}"
    expectBudget(dates, "takes more than 4194304 steps")
    let members = (0..<9000).map { "'k\($0)': 1" }.joined(separator: ", ")
    expectBudget(
      "{% set d = {\(members)} %}{% for i in range(60000) %}{{ d['x'] }}{% endfor %}",
      "takes more than 4194304 steps")
  }

  private func expectBudget(
    _ source: String, _ words: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(sourceLocation: sourceLocation) {
      try render(source)
    } throws: { error in
      "\(error)".contains("chat template, line 1: the template \(words)")
    }
  }

  @Test func valuesCannotBeNestedWithoutEnd() {
    for start in ["[]", "{}"] {
      let next = start == "[]" ? "[ns.x]" : "{'a': ns.x}"
      #expect {
        try render(
          "{% set ns = namespace(x=\(start)) %}{% for i in range(65000) %}"
            + "{% set ns.x = \(next) %}{% endfor %}ok")
      } throws: { error in
        "\(error)".contains("nested deeper than 128 levels")
      }
    }
    // Namespaces in values could hold themselves.
    for next in ["namespace(x=ns.x)", "[ns]", "ns"] {
      #expect(throws: ChatTemplateError.self) {
        try render(
          "{% set ns = namespace(x=1) %}{% for i in range(60000) %}"
            + "{% set m = \(next) %}{% set ns.x = m %}{% endfor %}")
      }
    }
  }

  @Test(arguments: [
    ("1", " if 1", ""), ("", "[", ""), ("x", ".a", ""), ("1", " is x", ""), ("x", "|trim", ""),
    ("", "{1:", "}"), ("", "not ", ""), ("", "(", " + 1 + 1 + 1)"),
  ])
  func syntaxCannotBeNestedWithoutEnd(_ start: String, _ middle: String, _ end: String) throws {
    let (head, tail) = (String(repeating: middle, count: 1000), String(repeating: end, count: 1000))
    // A message of its own: the template's text is long.
    let error = #expect(throws: ChatTemplateError.self) {
      try ChatTemplate("{{ " + start + head + "1" + tail + " }}")
    }
    #expect(error?.what.contains("nested too deep") == true)
  }

  /// Loops of the parser build levels too, and so do levels inside of levels.
  @Test func heightIsBoundedWhateverBuildsIt() throws {
    let sums = (0..<100).map { _ in String(repeating: " + 1", count: 100) + ")" }.joined()
    let error = #expect(throws: ChatTemplateError.self) {
      try ChatTemplate("{{ " + String(repeating: "(", count: 100) + "1" + sums + " }}")
    }
    #expect(error?.what.contains("nested too deep") == true)
  }

  @Test func searchesTakeLinearTime() throws {
    let grow = "{% for i in range(18) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
    #expect(
      try render(
        "{% set ns = namespace(x='a') %}\(grow){{ (ns.x ~ 'b') in (ns.x ~ ns.x ~ ns.x) }}"
          + "{{ (ns.x ~ ns.x).split(ns.x ~ 'b')|length }}") == "False1")
    #expect(try render("{{ 'aabaaab'.replace('aab', 'x') }}") == "xax")
  }

  @Test func refusalsCarryTheTemplatesMessage() {
    #expect(throws: ChatTemplateError.refused(message: "no system")) {
      try render("{{ raise_exception('no system') }}")
    }
  }

  @Test func namedTemplatesChooseTheDefault() throws {
    let config: JSONValue = [
      "bos_token": ["content": "<s>"],
      "chat_template": [
        ["name": "tool_use", "template": "no"],
        ["name": "default", "template": "{{ bos_token }}yes"],
      ],
    ]
    #expect(try ChatTemplate(tokenizerConfig: config)?.render([]) == "<s>yes")
    #expect(try ChatTemplate(tokenizerConfig: [:]) == nil)
  }
}
