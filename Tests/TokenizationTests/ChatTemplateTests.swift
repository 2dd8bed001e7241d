import Foundation
import StrictJSON
import Testing

@testable import Tokenization

@Suite struct ChatTemplateTests {
  private func render(_ source: String, _ messages: [ChatMessage] = []) throws -> String {
    try ChatTemplate(source).render(messages, now: Date(timeIntervalSince1970: 1_750_000_000))
  }

  /// Prompts that the reference library gives; null where the template refuses the messages.
  @Test(arguments: ["chatml", "headers", "instructions", "features"])
  func printsWhatTheReferencePrints(_ name: String) throws {
    let file = try Fixtures.json("chat.golden.json")
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

  @Test(arguments: [
    ("a\n  {% if true %}\nb\n  {%- endif %}\nc\n", "a\nbc"),
    ("{{ 1 }}\n{# note #}\n{{- 2 -}}\n 3", "1\n23"),
    ("{{ {'a': {'b': 1}}['a']['b'] }}", "1"),
    ("{{ 'a' 'b' ~ (1 + 2 * 3) }}{{ not 1 == 2 }}", "ab7True"),
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
    "{{ ) }}", "{% for in x %}{% endfor %}", "{% frobnicate %}", "{{ 1.5 }}", "{{ }}",
    "{{ 1 < 2 < 3 }}", "{{ $ }}", "{% set x y %}",
  ])
  func malformedTemplatesAreErrors(_ source: String) {
    #expect(throws: TokenizationError.self) { try ChatTemplate(source) }
  }

  @Test(arguments: [
    "{{ none + 1 }}", "{{ x.y.z }}", "{{ x() }}", "{{ [] | nonesuch }}",
    "{{ 'a' | tojson(indent=2) }}",
    "{{ 1 is nonesuch }}", "{{ messages }}", "{{ 1 // 0 }}", "{{ 9223372036854775807 + 1 }}",
    "{{ ''.join(['a']) }}", "{{ 'a'[none:'b'] }}", "{% for x in 3 %}{% endfor %}", "{{ 1 < 'a' }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ range(100000000) }}",
    "{% set m = 1 %}{% set m.x = 2 %}", "{{ strftime_now('%Q') }}", "{{ 'a'.split('') }}",
    "{% for a, b in [[1]] %}{% endfor %}",
  ])
  func whatCannotRunIsAnError(_ source: String) {
    #expect(throws: TokenizationError.self) { try render(source) }
  }

  @Test func unusedConstructsDoNoHarm() throws {
    #expect(try render("{% if tools %}{{ tools | tojson(indent=4) }}{% endif %}ok") == "ok")
  }

  @Test func runsAreBounded() {
    let loop = "{% for a in range(60000) %}"
    #expect(throws: TokenizationError.self) {
      try render(loop + loop + "{% endfor %}{% endfor %}")
    }
    let nested = String(repeating: "(", count: 10_000) + "1" + String(repeating: ")", count: 10_000)
    #expect(throws: TokenizationError.self) { try render("{{ \(nested) }}") }
    let negations = String(repeating: "not ", count: 10_000)
    #expect(throws: TokenizationError.self) { try render("{{ \(negations) 1 }}") }
    let sum = "1" + String(repeating: " + 1", count: 100_000)
    #expect((try? render("{{ \(sum) }}")) ?? "100001" == "100001")
  }

  @Test func refusalsCarryTheTemplatesMessage() {
    #expect(throws: TokenizationError.templateRefused(message: "no system")) {
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
