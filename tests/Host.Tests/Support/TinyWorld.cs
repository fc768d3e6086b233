using System.Text.Json.Nodes;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Commands;
using RepNoise.Host.Commands.Handlers;
using RepNoise.Host.Model;

namespace RepNoise.Host.Tests.Support;

/// <summary>
/// The demo's data with a model small enough for tests: two layers of width 32 over the same tokenizer, random weights. Gone when
/// the test ends.
/// </summary>
internal sealed class TinyWorld : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly DemoWorld world;

    /// <param name="dtype">Number format of the weights on disk, in config.json's words.</param>
    public TinyWorld(string dtype = "float32")
    {
        world = new DemoWorld(folder["data"]);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(world.Model, "config.json")))!.AsObject();
        (config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]) = (32, 48, 2);
        (config["num_attention_heads"], config["num_key_value_heads"], config["torch_dtype"]) = (4, 2, dtype);
        ConfigPath = folder.Write("tiny/config.json", config.ToJsonString());
        using var source = new Host.Training.ScratchSource(ConfigPath, world.Model, seed: 5);
        using var device = Kernels.Devices.Create("cpu", new Kernels.DeviceOptions { Threads = 1 });
        using var parameters = new ModelParameters(source.Config, device, ParameterUse.Inference);
        source.Load(parameters);
        source.SaveInto(Model, parameters, new SaveOptions());
    }

    public string ConfigPath { get; }

    /// <summary>The tiny model's folder.</summary>
    public string Model => folder["model"];

    /// <summary>A file of the demo's data.</summary>
    public string Data(string name) => world.PathOf(name);

    /// <summary>A path of the test's own.</summary>
    public string this[string name] => folder[name];

    /// <summary>Runs the program in this process, as <c>repnoise ARGUMENTS</c>.</summary>
    public static ProgramResult Run(params string[] arguments) => Run(CancellationToken.None, "", arguments);

    public static ProgramResult Run(CancellationToken stop, string input, params string[] arguments)
    {
        var terminal = new Terminal(new StringReader(input), new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        int code = CommandLine.Run(arguments, Handling.All, terminal, stop);
        return new ProgramResult(code, terminal.Out.ToString()!, terminal.Error.ToString()!);
    }

    public void Dispose() => folder.Dispose();
}

/// <summary>Exit code and both outputs of a run of the program.</summary>
internal sealed record ProgramResult(int Code, string Out, string Error);
