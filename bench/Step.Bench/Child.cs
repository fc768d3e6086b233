using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace RepNoise.Bench.Step;

/// <summary>The parent's end: one side in its own process, with its own malloc settings and its own peak.</summary>
internal sealed class Child : ISide, IDisposable
{
    private readonly Process process;

    public Child(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        process = Process.Start(start)!;
    }

    /// <inheritdoc/>
    public long PeakBytes
    {
        get
        {
            string line = File.ReadLines($"/proc/{process.Id}/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            return 1024 * long.Parse(line.AsSpan(6).Trim(" \tkB"), CultureInfo.InvariantCulture);
        }
    }

    /// <inheritdoc/>
    public StepResult Step()
    {
        process.StandardInput.WriteLine("step");
        process.StandardInput.Flush();
        string answer = process.StandardOutput.ReadLine()
            ?? throw new InvalidOperationException($"{process.StartInfo.FileName} ended; its message stands above");
        return JsonSerializer.Deserialize<StepResult>(answer)!;
    }

    public void Dispose()
    {
        process.StandardInput.Close();
        if (!process.WaitForExit(5000)) process.Kill();
        process.Dispose();
    }
}
