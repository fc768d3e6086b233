using System.Text.Json;

namespace RepNoise.Bench;

/// <summary>The child's end of the protocol: each line on standard input asks for a step, each answer is one line of JSON.</summary>
public static class StepServer
{
    public static void Run(Func<StepResult> step)
    {
        while (Console.In.ReadLine() is not null)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(step()));
            Console.Out.Flush();
        }
    }
}
