using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Evaluation.Judging;

/// <summary>
/// A program that judges: it gets one JSON object a line (index, prompt, answer, reference, categories) on standard input and answers each,
/// in order, with one line: a number from 0 to 1, or an object whose <c>score</c> is one. The shell runs it, so it may have arguments.
/// </summary>
public sealed class CommandJudge : IAnswerJudge
{
    private const int ShownCharacters = 200;

    private readonly string command;
    private readonly TimeSpan timeout;

    /// <param name="command">The command line.</param>
    /// <param name="timeout">Time for all answers together.</param>
    public CommandJudge(string command, TimeSpan timeout) => (this.command, this.timeout) = (command, timeout);

    public string Name => "command";

    /// <inheritdoc/>
    /// <exception cref="InputException">The program cannot be started, fails, takes too long, or answers with something else.</exception>
    public IReadOnlyList<double> Score(IReadOnlyList<Answer> answers, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(timeout);
        using var process = Start();
        try
        {
            return RunAsync(process, answers, limit.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw Bad($"it did not finish within {timeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s", "an answer to every line in time",
                "give it longer with --judge-timeout, or let it flush its output");
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    public void Dispose()
    {
    }

    private Process Start()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        var start = new ProcessStartInfo(OperatingSystem.IsWindows() ? "cmd" : "/bin/sh", [OperatingSystem.IsWindows() ? "/c" : "-c", command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = utf8,
            StandardOutputEncoding = utf8,
            StandardErrorEncoding = utf8,
        };
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception problem)
        {
            throw Bad($"it cannot be started ({problem.Message})", "a command that the shell can run", "check its path", problem);
        }
    }

    private async Task<IReadOnlyList<double>> RunAsync(Process process, IReadOnlyList<Answer> answers, CancellationToken stop)
    {
        var errors = process.StandardError.ReadToEndAsync(stop);
        var writing = WriteAsync(process, answers, stop);
        var scores = new List<double>();
        while (await process.StandardOutput.ReadLineAsync(stop).ConfigureAwait(false) is { } line)
        {
            if (scores.Count == answers.Count && !string.IsNullOrWhiteSpace(line))
                throw Bad($"line {scores.Count + 1} is one too many: \"{Shown(line)}\"", $"{answers.Count} lines, one an answer", "write nothing else to standard output");
            if (scores.Count < answers.Count) scores.Add(Parse(line, scores.Count + 1));
        }

        await process.WaitForExitAsync(stop).ConfigureAwait(false);
        string said = (await errors.ConfigureAwait(false)).Trim();
        if (process.ExitCode != 0)
            throw Bad($"it ended with exit code {process.ExitCode}{(said.Length > 0 ? $": {Shown(said[(said.LastIndexOf('\n') + 1)..])}" : "")}", "exit code 0", "run it by hand on one line");
        if (scores.Count < answers.Count)
            throw Bad($"it answered {scores.Count} of {answers.Count} lines", "one line for every answer", "let it answer every line, in order");
        await writing.ConfigureAwait(false);
        return scores;
    }

    private static async Task WriteAsync(Process process, IReadOnlyList<Answer> answers, CancellationToken stop)
    {
        try
        {
            foreach (var answer in answers)
            {
                var line = new
                {
                    answer.Question.Index,
                    answer.Question.Plain,
                    Answer = answer.Text,
                    answer.Question.Reference,
                    answer.Question.Categories,
                };
                string text = JsonSerializer.Serialize(line, EvaluationResults.JsonLine);
                await process.StandardInput.WriteAsync((text + "\n").AsMemory(), stop).ConfigureAwait(false);
            }

            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It closed its input; what it has answered, or its exit code, says what that means.
        }
    }

    private double Parse(string line, int number)
    {
        double? score = null;
        try
        {
            using var json = JsonDocument.Parse(line);
            var value = json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("score", out var inner) ? inner : json.RootElement;
            if (value.ValueKind == JsonValueKind.Number) score = value.GetDouble();
        }
        catch (JsonException)
        {
            // Falls through to the same message as another value.
        }

        return score is >= 0 and <= 1
            ? score.Value
            : throw Bad($"line {number} is \"{Shown(line)}\"", "a number from 0 to 1, or {\"score\": number}", "write one score a line to standard output, and everything else to standard error");
    }

    private InputException Bad(string problem, string expected, string remedy, Exception? inner = null) => new($"judge \"{Shown(command)}\"", problem, expected, remedy, inner);

    private static string Shown(string text)
    {
        string line = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length <= ShownCharacters ? line : line[..(ShownCharacters - 3)] + "...";
    }
}
