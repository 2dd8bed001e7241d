"""Chat templates in the manner of published ones, for the committed fixtures."""

CHATML = """{%- for message in messages -%}
    {%- if loop.first and message['role'] != 'system' -%}
        {{ '<|im_start|>system\\nAnswer in one line.<|im_end|>\\n' }}
    {%- endif -%}
    {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"""

HEADERS = """{{- bos_token }}
{%- if messages and messages[0].role == 'system' %}
    {%- set system = messages[0].content | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" ~ system ~ "<|eot_id|>" }}
{%- for m in messages %}
    {%- if tools is not none and tools %}{{ tools | tojson(indent=4) }}{% endif %}
    {{- '<|start_header_id|>' ~ m.role ~ "<|end_header_id|>\\n\\n" + m.content | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

INSTRUCTIONS = """{{ bos_token }}{% for message in messages %}
  {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
    {{ raise_exception('roles must alternate, starting with user') }}
  {% endif %}
  {% if message['role'] == 'user' %}
{{ ' [INST] ' + message['content'] + ' [/INST]' }}
  {% elif message['role'] == 'assistant' %}
{{ ' ' + message['content'] + ' ' + eos_token }}
  {% else %}
{{ raise_exception('unknown role ' + message['role']) }}
  {% endif %}
{% endfor %}
"""

FEATURES = """{# every construct once #}
{%- macro shout(text, mark='!') %}{{ text | upper if mark == '!' else text ~ mark }}{% endmacro %}
{%- set ns = namespace(count=0, last=none) %}
{%- for m in messages[::-1] if m.role != 'system' %}
    {%- set ns.count = ns.count + 1 %}
    {%- if ns.last is none %}{% set ns.last = m.content.split('</think>')[-1].lstrip('\\n') %}{% endif %}
    {{- loop.index ~ '/' ~ loop.length }}:{{ shout(m['role']) }}{{ ' last' if loop.last }}
    {%- if not loop.last and loop.nextitem.role in ['user', "assistant"] %} > {{ loop.nextitem.role }}{% endif %}
  {% if m.content is string and m.content.startswith('skip') %}{% continue %}{% endif %}
    {%- if m.name is defined or m.tool_calls %}never{% endif %}
    {{- shout(m.content | trim, mark='?') }}
    {%- if ns.count >= 4 %}{% break %}{% endif %}
{% else %}nobody{% endfor %}
{% set block %}[{{ ns.count // 2 }},{{ -7 % 3 }},{{ messages | length }}]{% endset %}
{{ block }} {{ ns.last | default('-', true) }} {{ missing }} {{ missing | default('d') }}
{{ {'a': 1, 'b': [true, none, 'x"y']} | tojson }} {{ messages | map(attribute='role') | join(',') }}
{{- '\\t' ~ (messages | selectattr('role', 'equalto', 'user') | list | length) }}
{%- for key, value in {'k': 'v', 'n': 2}.items() %} {{ key }}={{ value }}{% endfor %}
"""

NUMBERS = """{{ 1.5 }} {{ 3 / 2 }} {{ -7.5 // 2 }} {{ -7.5 % 2 }} {{ 1e16 }} {{ 9007199254740994.0 }}
{{ 0.1 + 0.2 }} {{ 1 < 2.5 <= 3 }} {{ 1 < 3 < 2 }} {{ 0 < messages | length < 9 }} {{ 1 not in [2] in [[2]] }}
{{ ['b', 'A', 'c', 'a'] | sort | join(',') }} {{ ['b', 'A', 'a'] | sort(true, true) | join(',') }}
{{ messages | sort(attribute='role') | map(attribute='content') | join('|') }}
{{ ['a', 'A', 'b', 'a'] | unique | join(',') }} {{ [1, 1.0, 2] | unique | join(',') }}
{{ 'a\n\nb' | indent(2, true) }}|{{ 'a\n\nb\n' | indent('> ', false, true) }}
{{ 6 is divisibleby 3 }} {{ 1.5 is float }} {{ 2 is ge 2 }} {{ -3.5 | abs }} {{ 2.5 | round }} {{ '3.7' | int }}
{{ messages | tojson(indent=2) }} {{ {'b': 1.5, 'a': [], 'c': {}} | tojson(sort_keys=true, indent=0) }}
{{ [1, 2] | tojson(separators=(',', ':')) }}"""

TEMPLATES = {
    "chatml": CHATML, "headers": HEADERS, "instructions": INSTRUCTIONS,
    "features": FEATURES, "numbers": NUMBERS,
}
