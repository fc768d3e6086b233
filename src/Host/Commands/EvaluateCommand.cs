using System.CommandLine;
using RepNoise.Host.Configuration;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Evaluation.Judging;

namespace RepNoise.Host.Commands;

/// <summary>What <c>evaluate</c> was told. A part whose file is null is not run.</summary>
internal sealed record EvaluateOptions : MachineChoice
{
    public required string Model { get; init; }

    /// <summary>Held-out questions for harmfulness.</summary>
    public string? Questions { get; init; }

    /// <summary>refusal, slots, logprob, onnx:FOLDER or command:PROGRAM.</summary>
    public string Judge { get; init; } = "refusal";

    public string? RefusalPhrases { get; init; }

    public string? SlotWords { get; init; }

    /// <summary>The harmful label of an ONNX classifier, or null.</summary>
    public string? JudgeLabel { get; init; }

    /// <summary>Seconds that a judge command may take for all answers.</summary>
    public double JudgeTimeout { get; init; } = DefaultTimeout;

    internal const double DefaultTimeout = 600;

    public string? ReferenceModel { get; init; }

    public string? PerplexityData { get; init; }

    public int? Window { get; init; }

    public string? ChoiceData { get; init; }

    public string? RougeData { get; init; }

    public bool Stemmer { get; init; }

    public string? PromptField { get; init; }

    public string? AnswerField { get; init; }

    public string? TextField { get; init; }

    public string CategoryField { get; init; } = "category";

    public Template? Template { get; init; }

    public int? Limit { get; init; }

    public AnsweringOptions Answering { get; init; } = new();

    /// <summary>Folder of results.json and generations.jsonl, or null.</summary>
    public string? Output { get; init; }
}

/// <summary><c>repnoise evaluate MODEL</c>.</summary>
internal static class EvaluateCommand
{
    private const string Parts = "What to measure", Judging = "Harmfulness", Data = "Data", Generating = "Generation";

    public static Command Build(
        Func<EvaluateOptions, Terminal, CancellationToken, int> handler, Func<OverlapOptions, Terminal, CancellationToken, int> overlap, Terminal terminal,
        CancellationToken stop)
    {
        var command = new DocumentedCommand(
            "evaluate",
            "Measure a model: harmfulness of its answers, perplexity, multiple choice, generated text against references. Each part runs where its file is "
            + "named. Prints a table; --output keeps results and every generated text.",
            "./repnoise evaluate models/llama --questions test.jsonl",
            "./repnoise evaluate models/llama --questions test.jsonl --judge logprob --output eval",
            "./repnoise evaluate models/llama --questions test.jsonl --judge onnx:judges/deberta --judge-label harmful",
            "./repnoise evaluate models/llama --questions beavertails.json --temperature 0.6 --top-p 0.9 --reference-model models/base",
            "./repnoise evaluate models/llama-chat --questions test.jsonl --chat-template --generation-config",
            "./repnoise evaluate models/llama --perplexity wiki.jsonl --multiple-choice mmlu.jsonl --rouge viggo.jsonl --stemmer --output eval")
        {
            Sections = [("Judges", JudgeTexts)],
        };
        var model = DocumentedCommand.ModelArgument(required: true);
        command.Arguments.Add(model);
        var read = Options(command);
        command.Subcommands.Add(OverlapCommand.Build(overlap, terminal, stop));
        command.SetAction(line => handler(Checked(read(line, DocumentedCommand.ReadModel(line, model))), terminal, stop));
        return command;
    }

    private static IReadOnlyList<(string Name, string Text)> JudgeTexts =>
    [
        ("refusal", "1 where the answer holds no refusal phrase (--refusal-phrases gives others)"),
        ("slots", "share of the question's fields with the right word, or the exact answer"),
        ("logprob", "no text is generated: geometric mean probability of the tokens of the given harmful answer"),
        ("onnx:FOLDER", "a classifier (model.onnx, tokenizer.json, config.json): probability of its harmful label"),
        ("command:PROGRAM", "a program: a JSON object a line in, a number from 0 to 1 a line out"),
    ];

    private static Func<ParseResult, string, EvaluateOptions> Options(DocumentedCommand command)
    {
        ValueOption<string?> questions = new("--questions", Values.Path, null, "Held-out questions; JSON, JSON lines or Parquet.", Parts);
        ValueOption<string?> perplexity = new("--perplexity", Values.Path, null, "Texts whose perplexity to take.", Parts);
        ValueOption<string?> choices = new("--multiple-choice", Values.Path, null, "JSON lines with context, choices and gold.", Parts);
        ValueOption<string?> rouge = new("--rouge", Values.Path, null, "Prompts with references for generated text.", Parts);
        ValueOption<string?> output = new("--output", Values.Path, null, "Folder for results.json and generations.jsonl.", Parts);
        ValueOption<string?> judge = new("--judge", Values.Text, "refusal", "Who scores the answers; see below.", Judging);
        ValueOption<string?> phrases = new("--refusal-phrases", Values.Path, null, "Text file of refusal phrases, one a line.", Judging);
        ValueOption<string?> words = new("--slot-words", Values.Path, null, "JSON object: the words that each field may hold.", Judging);
        ValueOption<string?> label = new("--judge-label", Values.Text, null, "The harmful label of an ONNX classifier, where its name does not say so.", Judging);
        ValueOption<double> timeout = new("--judge-timeout", Values.Positive(), EvaluateOptions.DefaultTimeout, "Seconds that a judging program may take.", Judging);
        ValueOption<string?> reference = new("--reference-model", Values.Path, null,
            "Model that tells disfluent answers by their perplexity: the undefended one.", Judging);
        ValueOption<string?> category = new("--category-field", Values.Text, "category", "Field of a question's category.", Judging);
        ValueOption<string?> promptField = new("--prompt-field", Values.Text, null, "Field of the prompt.", Data);
        ValueOption<string?> answerField = new("--answer-field", Values.Text, null, "Field of the given answer or reference.", Data);
        ValueOption<string?> textField = new("--text-field", Values.Text, null, "Field of the texts for perplexity.", Data);
        ValueOption<string?> template = new("--template", Values.Text, null,
            "Joins prompt and answer, such as \"Question: {prompt}\\nAnswer:{answer}\".", Data);
        ValueOption<int?> limit = new("--limit", Values.Optional(Values.PositiveInteger()), null, "Only the first n rows of questions, choices and rouge.", Data);
        ValueOption<int?> window = new("--window", Values.Optional(Values.PositiveInteger()), null, "Tokens of a window of perplexity; the model's positions.", Data);
        ValueOption<bool> stemmer = new("--stemmer", Values.Boolean, false, "Stem words for ROUGE (Porter).", Data);
        var generation = new GenerationOptions(Generating);
        var machine = new MachineOptions();
        command.AddOptions(questions.Symbol, perplexity.Symbol, choices.Symbol, rouge.Symbol, output.Symbol);
        command.AddOptions(judge.Symbol, phrases.Symbol, words.Symbol, label.Symbol, timeout.Symbol, reference.Symbol, category.Symbol);
        command.AddOptions(promptField.Symbol, answerField.Symbol, textField.Symbol, template.Symbol, limit.Symbol, window.Symbol, stemmer.Symbol);
        command.AddOptions(generation.Symbols);
        command.AddOptions(machine.Symbols);
        return (line, model) => machine.Read(line, new EvaluateOptions
        {
            Model = model,
            Questions = questions.Read(line),
            PerplexityData = perplexity.Read(line),
            ChoiceData = choices.Read(line),
            RougeData = rouge.Read(line),
            Output = output.Read(line),
            Judge = judge.Read(line)!,
            RefusalPhrases = phrases.Read(line),
            SlotWords = words.Read(line),
            JudgeLabel = label.Read(line),
            JudgeTimeout = timeout.Read(line),
            ReferenceModel = reference.Read(line),
            CategoryField = category.Read(line)!,
            PromptField = promptField.Read(line),
            AnswerField = answerField.Read(line),
            TextField = textField.Read(line),
            Template = template.Read(line) is { } text ? Template.Parse(text) : null,
            Limit = limit.Read(line),
            Window = window.Read(line),
            Stemmer = stemmer.Read(line),
            Answering = generation.Read(line),
        });
    }

    private static EvaluateOptions Checked(EvaluateOptions options)
    {
        if (options is { Questions: null, PerplexityData: null, ChoiceData: null, RougeData: null })
            throw new UsageException("evaluate", "there is nothing to measure", "--questions, --perplexity, --multiple-choice or --rouge", "name a file for one of them");
        Judges.CheckName(options.Judge);
        if (options.Answering.ChatTemplate && options is { Questions: null, RougeData: null })
            throw new UsageException("--chat-template", "there are no prompts to answer", "--questions or --rouge", "leave it out");
        if (options is { Answering.ChatTemplate: true, Template: not null })
            throw new UsageException("--template", "--chat-template is given too", "one of the two", "leave one of them out");
        if (options.ReferenceModel is not null && (options.Questions is null || options.Judge == Judges.LogProbability))
            throw new UsageException("--reference-model", "there are no generated answers to score", "--questions with a judge of answers", "leave it out");
        return options;
    }
}
