using System.Text;
using System.Text.Json;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.ChatTemplates;

/// <summary>A turn of a conversation.</summary>
/// <param name="Role"><c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Content">What was said.</param>
public sealed record ChatMessage(string Role, string Content);

/// <summary>
/// A model folder's chat template: the Jinja that turns a conversation into the text the model was trained on, special tokens
/// included. An interpreter for what such templates use, with the results of transformers' <c>apply_chat_template</c>; bounded in steps,
/// text and depth. <c>strftime_now</c> is left undefined, so that equal runs give equal bytes: templates then take the date they name
/// themselves. Immutable and safe for concurrent use.
/// </summary>
public sealed class ChatTemplate
{
    private const string FileName = "chat_template.jinja";
    private const string ConfigName = "tokenizer_config.json";
    private static readonly string[] SpecialTokens = ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];

    private readonly string name;
    private readonly IReadOnlyDictionary<string, string> specialTokens;
    private readonly IReadOnlyList<Statement> statements;

    private ChatTemplate(string source, string name, IReadOnlyDictionary<string, string> specialTokens)
    {
        (this.name, this.specialTokens) = (name, specialTokens);
        statements = Guard(() => TemplateParser.Read(source));
    }

    /// <summary>The template of a model folder: <c>chat_template.jinja</c>, or else <c>chat_template</c> in tokenizer_config.json.</summary>
    /// <exception cref="InputException">The folder has none.</exception>
    /// <exception cref="TemplateException">It is malformed or uses something that is not supported.</exception>
    public static ChatTemplate Load(string folder)
    {
        string config = Path.Combine(folder, ConfigName), file = Path.Combine(folder, FileName);
        var settings = File.Exists(config) ? JsonFile.Parse(JsonFile.ReadBytes(config), config) : default;
        var tokens = SpecialTokens.Select(token => (token, text: TokenOf(settings, token))).Where(pair => pair.text is not null)
            .ToDictionary(pair => pair.token, pair => pair.text!, StringComparer.Ordinal);
        if (File.Exists(file)) return new ChatTemplate(Encoding.UTF8.GetString(JsonFile.ReadBytes(file)), file, tokens);
        string source = TemplateOf(settings) ?? throw new InputException(
            folder, $"it has neither {FileName} nor a chat_template in {ConfigName}", "the folder of a chat model", "use --template instead, or copy that file from the model");
        return new ChatTemplate(source, $"{config}: chat_template", tokens);
    }

    /// <summary>A template from its text.</summary>
    /// <param name="source">The Jinja text.</param>
    /// <param name="name">Names it in messages.</param>
    /// <param name="specialTokens">Variables such as <c>bos_token</c>.</param>
    /// <exception cref="TemplateException">It is malformed or uses something that is not supported.</exception>
    public static ChatTemplate Parse(string source, string name, IReadOnlyDictionary<string, string>? specialTokens = null) =>
        new(source, name, specialTokens ?? new Dictionary<string, string>());

    /// <summary>The text of a conversation.</summary>
    /// <param name="messages">Its turns.</param>
    /// <param name="addGenerationPrompt">True ends with what opens the assistant's answer.</param>
    /// <exception cref="TemplateException">The template refuses the messages, uses something that is not supported, or does not end.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        var list = messages.Select(message => (object?)new TemplateMap { ["role"] = message.Role, ["content"] = message.Content });
        return Render(new TemplateMap { ["messages"] = new List<object?>(list), ["add_generation_prompt"] = addGenerationPrompt });
    }

    internal string Render(TemplateMap variables) => Guard(() =>
    {
        var scope = TemplateMethods.Globals();
        foreach (var (token, text) in specialTokens) scope[token] = text;
        foreach (var (variable, value) in variables) scope[variable] = value;
        var output = new StringBuilder();
        Statement.RunAll(statements, new TemplateRun(), scope, output);
        return output.ToString();
    });

    private T Guard<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (TemplateFault fault)
        {
            throw new TemplateException(name, fault.Line, fault.Message, fault.Expected, fault.Remedy);
        }
        catch (InsufficientExecutionStackException)
        {
            throw new TemplateException(name, 1, "it nests too deep", "a chat template", "use --template in its place");
        }
    }

    private static string? TokenOf(JsonElement settings, string name)
    {
        if (settings.ValueKind != JsonValueKind.Object || !settings.TryGetProperty(name, out var token)) return null;
        if (token.ValueKind == JsonValueKind.Object) token = token.TryGetProperty("content", out var content) ? content : default;
        return token.ValueKind == JsonValueKind.String ? token.GetString() : null;
    }

    /// <summary>One text, or a list of named ones of which <c>default</c> is taken.</summary>
    private static string? TemplateOf(JsonElement settings)
    {
        if (settings.ValueKind != JsonValueKind.Object || !settings.TryGetProperty("chat_template", out var template)) return null;
        if (template.ValueKind == JsonValueKind.String) return template.GetString();
        if (template.ValueKind != JsonValueKind.Array) return null;
        foreach (var entry in template.EnumerateArray())
        {
            if (entry.ValueKind == JsonValueKind.Object && TokenOf(entry, "name") == "default") return TokenOf(entry, "template");
        }

        return null;
    }
}
