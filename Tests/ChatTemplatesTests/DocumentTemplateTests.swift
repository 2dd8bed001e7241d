import StrictJSON
import Testing

@testable import ChatTemplates

/// Templates of task files: Jinja as lm-eval sets it up.
struct DocumentTemplateTests {
  private static let document: JSONObject = [
    "text": "one two three", "count": 2, "parts": ["a", "b\n"], "share": 0.5, "no": nil, "on": true,
  ]

  @Test(arguments: [
    ("", ""), ("plain", "plain"), ("{{text}}", "one two three"),
    ("a {{ text }} b\n", "a one two three b\n"),
    ("{{text.split(' ')[:-1]|join(' ')}}", "one two"), ("{{' '+text.split(' ')[-1]}}", " three"),
    ("  {% if on %}\nx\n  {% endif %}\ny", "  \nx\n  \ny"),
    ("{% for _ in range(count) %}z\n{% endfor %}", "z\nz\n"),
    ("{{count}} {{on}} {{no}}", "2 True None"),
    ("{{parts[1]}}", "b\n"), ("{{text}}\n\n", "one two three\n\n"),
  ])
  func `prints what the field's own tool prints`(_ source: String, _ expected: String) throws {
    #expect(try DocumentTemplate(source).render(Self.document) == expected)
  }

  @Test(arguments: [
    "{{txt}}", "{{share}}", "{% if txt %}a{% endif %}", "{{parts[7]}}",
    "{% for x in txt %}{% endfor %}",
    "{{text|regex_replace('a', 'b')}}",
  ])
  func `what is not there is an error`(_ source: String) throws {
    #expect(throws: ChatTemplateError.self) { try DocumentTemplate(source).render(Self.document) }
  }

  @Test func `an error says its line, and nothing of chats`() throws {
    do {
      _ = try DocumentTemplate("a\n{{txt}}").render(Self.document)
      Issue.record("no error")
    } catch {
      #expect(error.reason == "line 2: there is no \"txt\", or it is a number that is not whole")
    }
  }

  @Test func `one expression may be a list of texts`() throws {
    #expect(try DocumentTemplate("{{parts}}").texts(Self.document) == ["a", "b\n"])
    #expect(try DocumentTemplate("{{['x', text]}}").texts(Self.document) == ["x", "one two three"])
    #expect(try DocumentTemplate("{{[count]}}").texts(Self.document) == nil)
    #expect(try DocumentTemplate("{{text}}").texts(Self.document) == nil)
    #expect(try DocumentTemplate("{{parts}} ").texts(Self.document) == nil)
  }
}
