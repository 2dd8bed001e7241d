import ChatTemplates
import TestSupport
import Testing
import Tokenization

@testable import ModelFiles

/// Tokenizers and chat formats where they lie.
struct TokenizerSourceTests {
  @Test func `errors of chat templates name their file`() throws {
    let directory = try TemporaryDirectory()
    let source = TokenizerSource.files(.directory(directory.path))
    try directory.write("tokenizer_config.json", #"{"chat_template": "{{ 2 ** 3 }}"}"#)
    #expect {
      try source.chatTemplate()
    } throws: { error in
      (error as? ChatTemplateError)?.location == directory("tokenizer_config.json")
    }
    try directory.write("chat_template.jinja", "{{ messages[0].content + 1 }}")
    let template = try source.chatTemplate()
    #expect {
      try template.render([ChatMessage(role: "user", content: "a")])
    } throws: { error in
      (error as? ChatTemplateError)?.location == directory("chat_template.jinja")
    }
  }
}
