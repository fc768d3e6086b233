using System.Text.Json.Nodes;
using RepNoise.Host.ChatTemplates;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.ChatTemplates;

/// <summary>Templates as models publish them, and our own of what else is supported, against jinja2 (goldens/make_renderings.py).</summary>
public sealed class ChatTemplateTests
{
    private static readonly string Folder = Path.Combine(Goldens.Folder, "../Host.Tests/ChatTemplates/goldens");
    private static readonly JsonObject Renderings = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "renderings.json")))!.AsObject();
    private static readonly Dictionary<string, string> Tokens = new() { ["bos_token"] = "<s>", ["eos_token"] = "</s>" };

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var (template, conversations) in Renderings)
            {
                foreach (var (conversation, _) in conversations!.AsObject()) cases.Add(template, conversation);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Renders_as_jinja2_does(string template, string conversation)
    {
        var golden = Renderings[template]![conversation]!;
        var chat = ChatTemplate.Parse(File.ReadAllText(Path.Combine(Folder, template + ".jinja")), template, Tokens);
        var messages = golden["messages"]!.AsArray().Select(m => new ChatMessage((string)m!["role"]!, (string)m["content"]!)).ToArray();
        string? text = null;
        try
        {
            text = chat.Render(messages, (bool)golden["add_generation_prompt"]!);
        }
        catch (TemplateException refusal)
        {
            Assert.Contains("refuses the messages", refusal.Message, StringComparison.Ordinal);
        }

        Assert.Equal((string?)golden["text"], text);
    }

    [Theory]
    [InlineData("{% for m in messages %}\n\n{{ m|shout }}{% endfor %}", 3, "filter shout")]
    [InlineData("a\n{% include 'x' %}", 2, "block include")]
    [InlineData("{{ 'a'.swapcase() }}", 1, "method swapcase()")]
    [InlineData("{{ 1 is prime }}", 1, "test prime")]
    [InlineData("\n{% if true %}\nx", 2, "if is not closed")]
    [InlineData("{{ messages.0.x.y }}", 1, "x, which is undefined")]
    [InlineData("{{ 'open }}", 1, "a text is not closed")]
    [InlineData("{{ 1 + 'a' }}", 1, "an integer + a text")]
    [InlineData("{{ raise_exception('no') }}", 1, "refuses the messages: no")]
    [InlineData("{% endfor %}", 1, "endfor closes nothing")]
    public void An_error_names_template_line_and_problem(string source, int line, string problem)
    {
        var error = Assert.Throws<TemplateException>(() => Render(source));
        Assert.Equal(line, error.Line);
        Assert.StartsWith($"mine, line {line}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x='aaaaaaaa') %}{% for a in range(100000) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}")]
    [InlineData("{{ 'aaaaaaaa' * 100000000 }}")]
    [InlineData("{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}")]
    [InlineData("{% set ns = namespace(x=[]) %}{% for a in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for a in range(100000) %}{% set ns.x = ns.x + ns.x %}{% endfor %}")]
    [InlineData("{{ range(99999999999) }}")]
    public void What_would_not_end_is_stopped(string source) => Assert.Throws<TemplateException>(() => Render(source));

    [Fact]
    public void Deep_nesting_and_random_text_are_refused_and_never_crash()
    {
        Assert.Throws<TemplateException>(() => Render("{{ " + new string('(', 200_000) + " }}"));
        Assert.Throws<TemplateException>(() => Render(string.Concat(Enumerable.Repeat("{% if 1 %}", 100_000))));
        string[] words = ["{{", "}}", "{%", "%}", "{#", "#}", "-", " for ", " in ", "if", "endif", "endfor", "set", " x ", "=", "'", "[", "]", "(", ")", ":", "|", ".", "1", "is ", "not ", "\n"];
        var random = new Random(20260101);
        for (int i = 0; i < 3000; i++)
        {
            string source = string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => words[random.Next(words.Length)]));
            var error = Record.Exception(() => Render(source));
            Assert.True(error is null or TemplateException, $"{source}\n{error}");
        }
    }

    [Fact]
    public void A_folder_gives_its_template_and_special_tokens()
    {
        using var folder = new TempFolder();
        Assert.Contains("neither", Assert.Throws<InputException>(() => ChatTemplate.Load(folder.Path)).Message, StringComparison.Ordinal);
        folder.Write("tokenizer_config.json", """{"bos_token":{"content":"<b>"},"eos_token":"<e>","chat_template":[{"name":"tool_use","template":"no"},{"name":"default","template":"{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"}]}""");
        Assert.Equal("<b>hi<e>", ChatTemplate.Load(folder.Path).Render([new ChatMessage("user", "hi")], false));
        folder.Write("chat_template.jinja", "{{ eos_token }}!");
        Assert.Equal("<e>!", ChatTemplate.Load(folder.Path).Render([new ChatMessage("user", "hi")], false));
    }

    [Fact]
    public void Commands_apply_the_models_template()
    {
        using var world = new TinyWorld();
        string config = Path.Combine(world.Model, "tokenizer_config.json");
        var settings = File.Exists(config) ? JsonNode.Parse(File.ReadAllText(config))!.AsObject() : [];
        settings["chat_template"] = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
        File.WriteAllText(config, settings.ToJsonString());
        var generated = TinyWorld.Run("generate", world.Model, "--prompt", "hi", "--max-new-tokens", "1", "--chat-template");
        Assert.True(generated.Code == 0, generated.Error);
        Assert.StartsWith("user: hi\nassistant: ", generated.Out, StringComparison.Ordinal);
        string data = world["data.jsonl"];
        File.WriteAllText(data, """{"prompt":"a","harmful":"yes","harmless":"no"}""");
        foreach (string[] line in (string[][])[["attack", world.Model, "--data", data], ["defend", world.Model, "--pairs", data]])
        {
            var plain = TinyWorld.Run([.. line, "--output", world[line[0]], "--max-steps", "1"]);
            var chat = TinyWorld.Run([.. line, "--output", world[line[0] + "-chat"], "--max-steps", "1", "--chat-template"]);
            Assert.True(chat.Code == 0, chat.Error);
            Assert.NotEqual(plain.Error.Split("longest ")[1].Split('\n')[0], chat.Error.Split("longest ")[1].Split('\n')[0]);
        }

        var both = TinyWorld.Run("attack", world.Model, "--data", data, "--output", world["x"], "--chat-template", "--template", "{prompt}{answer}");
        Assert.Equal(1, both.Code);
    }

    private static string Render(string source) => ChatTemplate.Parse(source, "mine").Render([new ChatMessage("user", "a")], false);
}
