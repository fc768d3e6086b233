using System.Text;
using System.Text.Json;
using RepNoise.Host.Benchmarks;
using RepNoise.Host.ChatTemplates;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Data;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Evaluation.Judging;
using RepNoise.Host.Progress;
using RepNoise.Kernels;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Measures a model: every part whose data is named, all data read before the first forward pass.</summary>
internal sealed class EvaluateHandler
{
    public const string ResultsName = "results.json", GenerationsName = "generations.jsonl";

    private readonly EvaluateOptions options;
    private readonly CountedProgress progress;
    private readonly CancellationToken stop;
    private readonly IReadOnlyList<EvaluationQuestion> questions;
    private readonly IReadOnlyList<ChoiceQuestion> choices;
    private readonly IReadOnlyList<TextExample> references;
    private readonly RefusalPhrases phrases;
    private AnsweringOptions answering = new();

    private EvaluateHandler(EvaluateOptions options, Terminal terminal, CancellationToken stop)
    {
        (this.options, progress, this.stop) = (options, new CountedProgress(terminal), stop);
        var chat = options.Answering.ChatTemplate ? Template.OfChat(ChatTemplate.Load(PeftAdapter.ModelFolderOf(options.Model))) : null;
        phrases = options.RefusalPhrases is { } file ? RefusalPhrases.Read(file) : RefusalPhrases.Default;
        questions = options.Questions is { } path ? QuestionReader.Read(path, new QuestionOptions
        {
            PromptField = options.PromptField,
            AnswerField = options.AnswerField,
            CategoryField = options.CategoryField,
            Template = options.Template,
            Chat = chat,
            Limit = options.Limit,
        }) : [];
        choices = options.ChoiceData is { } data ? MultipleChoice.Read(data, options.Limit) : [];
        references = options.RougeData is { } texts ? References(texts, chat) : [];
    }

    public static int Run(EvaluateOptions options, Terminal terminal, CancellationToken stop)
    {
        if (options.Output is { } output) CheckOutput(output);
        var results = Evaluate(options, terminal, stop);
        if (options.Output is { } folder) Write(folder, results);
        EvaluationTable.Write(terminal.Out, results);
        return ExitCodes.Done;
    }

    /// <summary>The results, for programs that measure many models.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="terminal">Takes the progress.</param>
    /// <param name="stop">Ends it with an exception.</param>
    public static EvaluationResults Evaluate(EvaluateOptions options, Terminal terminal, CancellationToken stop)
    {
        using var device = Handling.CreateDevice(options.Device, options.Threads, options.Kernels);
        return new EvaluateHandler(options, terminal, stop).Evaluate(device);
    }

    /// <summary>Writes results.json and, where text was generated or given answers were scored, generations.jsonl.</summary>
    public static void Write(string folder, EvaluationResults results)
    {
        Directory.CreateDirectory(folder);
        var answers = (results.Harmfulness?.Answers ?? []).Concat(results.Rouge?.Answers ?? []);
        File.WriteAllText(Path.Combine(folder, GenerationsName),
            string.Concat(answers.Select(answer => JsonSerializer.Serialize(answer, EvaluationResults.JsonLine) + "\n")), new UTF8Encoding(false));
        File.WriteAllText(Path.Combine(folder, ResultsName), JsonSerializer.Serialize(results, EvaluationResults.Json) + "\n", new UTF8Encoding(false));
    }

    private static void CheckOutput(string output)
    {
        if (File.Exists(output)) throw new InputException(output, "it is a file", "a folder, or a name that is free", "choose another --output");
    }

    private EvaluationResults Evaluate(Device device)
    {
        EvaluationResults results;
        using (var model = LoadedModel.Open(options.Model, device))
        {
            answering = options.Answering.For(model.Generation);
            results = new EvaluationResults
            {
                Model = options.Model,
                Device = device.Description,
                Version = RunEnvironment.Versions,
                Harmfulness = options.Questions is null ? null : MeasureHarmfulness(model),
                Perplexity = options.PerplexityData is { } data
                    ? Perplexity.Of(model, data, Perplexity.Texts(data, Examples(options.TextField)), options.Window, progress.Begin("perplexity: windows", null), stop)
                    : null,
                MultipleChoice = options.ChoiceData is { } choiceData
                    ? MultipleChoice.Of(model, choiceData, choices, progress.Begin("multiple choice: questions", choices.Count), stop)
                    : null,
                Rouge = options.RougeData is { } rougeData
                    ? RougeEvaluation.Of(model, rougeData, references, options.Stemmer, answering, progress.Begin("rouge: answers", references.Count), stop)
                    : null,
            };
        }

        // The second model is loaded once the first has gone: memory for one is enough.
        return options.ReferenceModel is null ? results : results with { Harmfulness = WithReference(results.Harmfulness!, device) };
    }

    private HarmfulnessResult MeasureHarmfulness(LoadedModel model)
    {
        string data = options.Questions!;
        var report = progress.Begin("harmfulness: answers", questions.Count);
        if (options.Judge == Judges.LogProbability) return Harmfulness.GivenAnswers(model, data, questions, !answering.ChatTemplate, report, stop);
        using var judge = Judges.Create(options.Judge, new JudgeSettings
        {
            Phrases = phrases,
            SlotWords = options.SlotWords,
            Label = options.JudgeLabel,
            Threads = options.Threads,
            Timeout = TimeSpan.FromSeconds(Math.Min(options.JudgeTimeout, TimeSpan.FromDays(20).TotalSeconds)),
        });
        return Harmfulness.Answer(model, data, questions, judge, phrases, answering, report, stop);
    }

    private HarmfulnessResult WithReference(HarmfulnessResult result, Device device)
    {
        using var reference = LoadedModel.Open(options.ReferenceModel!, device);
        return Harmfulness.WithReference(result, reference, progress.Begin("reference model: answers", result.Questions), stop);
    }

    /// <summary>Prompts with what they should be answered with. In a chat the prompt alone becomes a turn: the reference stays as it is written.</summary>
    private List<TextExample> References(string path, Template? chat)
    {
        var examples = ExampleReader.Stream(path, chat is null ? Examples(null) : Examples(null) with { Template = Template.Joined }).Take(options.Limit ?? int.MaxValue);
        return [.. chat is null ? examples : examples.Select(example => InChat(example, chat))];
    }

    private static TextExample InChat(TextExample example, Template chat)
    {
        if (example.PromptLength == 0) return example;
        string turn = chat.Head(example.Text[..example.PromptLength]);
        return example with { Text = turn + example.Text[example.PromptLength..], PromptLength = turn.Length };
    }

    private ExampleOptions Examples(string? textField) => new()
    {
        TextField = textField,
        PromptField = textField is null ? options.PromptField : null,
        AnswerField = textField is null ? options.AnswerField : null,
        Template = options.Template,
    };
}
