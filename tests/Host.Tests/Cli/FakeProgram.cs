using RepNoise.Host.Commands;
using RepNoise.Host.Configuration;

namespace RepNoise.Host.Tests.Cli;

/// <summary>The command line with handlers that only remember what they were given.</summary>
internal sealed class FakeProgram
{
    private readonly Terminal terminal = new(TextReader.Null, new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });

    public object? Received { get; private set; }

    public string Out => terminal.Out.ToString()!;

    public string Error => terminal.Error.ToString()!;

    public int Width { get; init; } = 100;

    public CancellationToken Stop { get; init; } = TestContext.Current.CancellationToken;

    public CommandHandlers Handlers => new()
    {
        Defend = (run, _, _) => Receive(run),
        Finetune = (run, _, _) => Receive(run),
        Attack = (run, _, _) => Receive(run),
        Generate = (options, _, _) => Receive(options),
        Evaluate = (options, _, _) => Receive(options),
        Overlap = (options, _, _) => Receive(options),
        Probe = (options, _, _) => Receive(options),
        Inspect = (options, _, _) => Receive(options),
        Tokenize = (options, _, _) => Receive(options),
        Verify = (options, _, _) => Receive(options),
        Plan = (options, _, _) => Receive(options),
        Profile = (run, _, _) => Receive(run),
        Replay = (options, _, _) => Receive(options),
        Compare = (options, _, _) => Receive(options),
        Devices = (options, _, _) => Receive(options),
        Bench = (options, _, _) => Receive(options),
        BenchKernel = (options, _, _) => Receive(options),
        Demo = (options, _, _) => Receive(options),
    };

    public Terminal Terminal => terminal with { Width = Width };

    public int Run(params string[] arguments) => CommandLine.Run(arguments, Handlers, Terminal, Stop);

    /// <summary>Runs a line that must be understood and returns what its handler got.</summary>
    public static T Read<T>(params string[] arguments)
    {
        var program = new FakeProgram();
        var code = program.Run(arguments);
        Assert.True(code == ExitCodes.Done, program.Error);
        return Assert.IsType<T>(program.Received);
    }

    public static DefendRun Defend(params string[] more) =>
        Read<DefendRun>(["defend", "m", "--pairs", "p", "--output", "o", .. more]);

    private int Receive(object value)
    {
        Received = value;
        return ExitCodes.Done;
    }
}
